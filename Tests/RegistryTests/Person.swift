import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import Testing

/// Somebody with a signing key and a paper key, and the record they built last.
struct Person: Sendable {
  let app: AppID
  let id: UserID
  let paper: SigningKey
  var key: SigningKey
  var head: KeyRecord
  /// The bodies sent so far would be too many to keep: this is the last one.
  var text: [UInt8]

  /// A person with an id bound to the first record, or with a given one.
  init(
    app: AppID, now: Milliseconds, id given: UserID? = nil, key: SigningKey = .generate(), delay: Milliseconds? = nil,
    expires: Milliseconds? = nil
  ) throws {
    let paper = SigningKey.generate()
    var tiers: [Tier] = [.keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: 0), .signer]
    if let delay {
      tiers.append(.keys(name: "late", keys: [paper.verifyingKey], threshold: 1, delay: delay))
      tiers.removeFirst()
    }
    let authority = try #require(Authority(tiers: tiers))
    let commitment = BoundID.Commitment(
      created: now, authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    let id = try given ?? #require(BoundID.id(for: commitment))
    let draft = RecordDraft(
      claim: id, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey, authority: authority,
      modified: now)
    self.app = app
    self.id = id
    self.paper = paper
    self.key = key
    text = draft.draft.signed(by: key)
    head = try #require(Submission.verify(text, app: app).get().record)
  }

  var body: SubmissionBody { get throws { try SubmissionBody.verify(text, app: app).get() } }

  /// The same person after a rotation by the signing key.
  func rotated(at now: Milliseconds, to next: SigningKey = .generate()) throws -> Person {
    var draft = RecordDraft(.rotate, after: head, now: now)
    draft.publicKey = next.verifyingKey
    draft.publicBoxKey = next.boxKey.publicKey
    draft.reason = .routine
    return try following(draft, approvedBy: [key], signedBy: next)
  }

  /// The same person after a recovery by the paper key.
  func recovered(at now: Milliseconds, to next: SigningKey = .generate()) throws -> Person {
    var draft = RecordDraft(.recover, after: head, now: now)
    draft.publicKey = next.verifyingKey
    draft.publicBoxKey = next.boxKey.publicKey
    draft.reason = .lost
    return try following(draft, approvedBy: [paper], signedBy: next)
  }

  /// The same person after an amendment by the signing key.
  func amended(at now: Milliseconds) throws -> Person {
    try following(RecordDraft(.amend, after: head, now: now), approvedBy: [], signedBy: key)
  }

  /// The same person after a revocation by the signing key.
  func revoked(at now: Milliseconds) throws -> Person {
    var draft = RecordDraft(.revoke, after: head, now: now)
    draft.reason = .lost
    return try following(draft, approvedBy: [], signedBy: key)
  }

  private func following(_ record: RecordDraft, approvedBy: [SigningKey], signedBy signer: SigningKey) throws -> Person
  {
    let draft = record.draft
    var next = self
    next.text = draft.signed(approvals: approvedBy.map { draft.approval(by: $0) }, by: signer)
    next.head = try #require(Submission.verify(next.text, app: app).get().record)
    next.key = signer
    return next
  }

  /// The claim with an invitation beside it.
  func invited(by admin: SigningKey, nonce: String, expires: Milliseconds) throws -> SubmissionBody {
    let invitation = Draft([
      "type": "Invitation", "app": .text(app.text), "nonce": .text(nonce), "expires": .integer(expires),
      "publicKey": .text(Base64.encode(admin.verifyingKey.bytes32)),
    ])
    let body = SubmissionBody.text(record: text, invitation: invitation.signedWithoutApprovals(by: admin))
    return try SubmissionBody.verify(body, app: app).get()
  }
}
