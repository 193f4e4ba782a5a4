import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

/// Somebody with keys: makes the records that the tests submit.
struct TestUser {
  let app: AppID
  let id: UserID
  let paper = SigningKey.generate()
  var key = SigningKey.generate()
  let tiers: [Tier]
  /// The record of the claim.
  let claim: [UInt8]
  /// The newest record that was made.
  private(set) var head: KeyRecord

  /// A user with a claim.
  ///
  /// - Parameters:
  ///   - id: A random id that is not bound; nil: one that is bound.
  ///   - paperDelay: How long a record that paper approves is pending.
  init(
    app: AppID, now: Milliseconds, id given: UserID? = nil, created: Milliseconds? = nil, paperDelay: Milliseconds = 0
  ) throws {
    self.app = app
    tiers = [.keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: paperDelay), .signer]
    let authority = try #require(Authority(tiers: tiers))
    let commitment = BoundID.Commitment(
      created: created ?? now, authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    id = if let given { given } else { try #require(BoundID.id(for: commitment)) }
    let draft = RecordDraft(
      claim: id, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey, authority: authority,
      modified: now)
    claim = draft.draft.signed(by: key)
    head = try #require(Submission.verify(claim, app: app).get().record)
  }

  /// A random id made at a time.
  static func randomID(_ now: Milliseconds) throws -> UserID {
    let time = String(now, radix: 36)
    let random = (0..<15).map { _ in String(Int.random(in: 0..<36), radix: 36) }.joined()
    return try #require(UserID(String(repeating: "0", count: 10 - time.count) + time + random))
  }

  /// A draft of the next record.
  func draft(
    _ action: KeyRecord.Action, now: Milliseconds, _ change: (inout RecordDraft) throws -> Void
  ) rethrows -> Draft {
    var draft = RecordDraft(action, after: head, now: now)
    try change(&draft)
    return draft.draft
  }

  /// Takes a record for the head, as if it was accepted.
  mutating func accept(_ record: [UInt8]) throws -> [UInt8] {
    head = try #require(Submission.verify(record, app: app).get().record)
    return record
  }

  func draft(_ action: KeyRecord.Action, now: Milliseconds) -> Draft { draft(action, now: now) { _ in } }

  func amendment(now: Milliseconds) -> [UInt8] { draft(.amend, now: now).signed(by: key) }

  mutating func amend(now: Milliseconds) throws -> [UInt8] { try accept(amendment(now: now)) }

  mutating func revoke(now: Milliseconds) throws -> [UInt8] {
    try accept(draft(.revoke, now: now) { $0.reason = .lost }.signed(by: key))
  }

  mutating func retire(now: Milliseconds) throws -> [UInt8] {
    let draft = self.draft(.retire, now: now)
    return try accept(draft.signed(approvals: [draft.approval(by: paper)], by: paper))
  }

  /// A rotation that the key in force approves.
  mutating func rotate(now: Milliseconds) throws -> [UInt8] {
    let next = SigningKey.generate()
    let draft = self.draft(.rotate, now: now) {
      $0.publicKey = next.verifyingKey
      $0.publicBoxKey = next.boxKey.publicKey
      $0.reason = .routine
    }
    let record = draft.signed(approvals: [draft.approval(by: key)], by: next)
    key = next
    return try accept(record)
  }

  /// A recovery that paper approves.
  mutating func recover(now: Milliseconds, compromised: Milliseconds? = nil) throws -> [UInt8] {
    let (record, next) = recovery(now: now, compromised: compromised)
    key = next
    return try accept(record)
  }

  func recovery(now: Milliseconds, compromised: Milliseconds? = nil) -> (record: [UInt8], key: SigningKey) {
    let next = SigningKey.generate()
    let draft = self.draft(.recover, now: now) {
      $0.publicKey = next.verifyingKey
      $0.publicBoxKey = next.boxKey.publicKey
      $0.reason = compromised == nil ? .lost : .compromised
      $0.compromised = compromised
    }
    return (draft.signed(approvals: [draft.approval(by: paper)], by: next), next)
  }

  /// The field of a member's request.
  func authorization(
    _ method: String, _ target: String, now: Milliseconds, nonce: String? = nil, app: AppID? = nil,
    key: SigningKey? = nil
  ) -> String {
    let draft = Draft([
      "type": "Request", "app": .text((app ?? self.app).text), "signer": .text(id.text), "method": .text(method),
      "target": .text(target), "modified": .integer(now),
      "nonce": .text(nonce ?? String(UInt64.random(in: 0...UInt64.max))),
    ])
    return Base64.encode(draft.signedWithoutApprovals(by: key ?? self.key))
  }
}
