package import Cryptography

// The rules are shown to hold for every order of events by driving `judge` over far more records than can be signed.
// These entrances make what `Submission.verify(_:app:)` would, without form, text and signatures. No client has them:
// they are visible in this package alone, and its tests are their only callers.

extension KeyRecord {
  /// A record of which the caller answers for form and signatures (§5.1). It has no canonical text.
  ///
  /// - Parameter hash: Stands for the record hash, and must be another for every record.
  package init(assembling draft: RecordDraft, approving: Set<VerifyingKey>, hash: RecordHash) {
    app = draft.app
    subject = draft.subject
    sequence = draft.sequence
    previous = draft.previous
    action = draft.action
    publicKey = draft.publicKey
    publicBoxKey = draft.publicBoxKey
    authority = draft.authority
    incarnation = draft.incarnation
    reason = draft.reason
    compromised = draft.compromised
    expires = draft.expires
    sourceURL = draft.sourceURL
    modified = draft.modified
    self.approving = approving
    canonical = []
    self.hash = hash
    boundness = draft.action == .claim ? Boundness() : nil
  }
}

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
