package import Cryptography

// Beside `KeyRecord.init(assembling:approving:hash:)`, for the same tests and for nobody else.

extension Adjudication {
  /// An adjudication of which the caller answers for form and signatures. It has no canonical text.
  package init(
    assembling subject: UserID, app: AppID, winner: RecordHash, modified: Milliseconds, approving: Set<VerifyingKey>,
    hash: RecordHash
  ) {
    self.app = app
    self.subject = subject
    self.winner = winner
    self.modified = modified
    self.approving = approving
    canonical = []
    self.hash = hash
  }
}
