public import Cryptography
import Glibc
public import KeyRecords

/// Somebody with a paper key and a signing key, who makes records as our tools do.
public struct TestPerson {
  /// The app.
  public let app: AppID
  /// The key above the signer.
  public let paper: SigningKey
  /// The key in force.
  public private(set) var key: SigningKey
  /// The newest record.
  public private(set) var head: KeyRecord

  /// A new person with a bound id and the default authority; the claim is made and not yet sent.
  public init?(app: AppID, now: Milliseconds = Self.now) {
    self.init(app: app, paper: SigningKey.generate(), key: SigningKey.generate(), now: now)
  }

  private init?(app: AppID, paper: SigningKey, key: SigningKey, now: Milliseconds) {
    let tiers: [Tier] = [.keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: 0), .signer]
    guard let authority = Authority(tiers: tiers) else { return nil }
    let commitment = BoundID.Commitment(
      created: now, authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    guard let id = BoundID.id(for: commitment) else { return nil }
    let draft = RecordDraft(
      claim: id, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey, authority: authority,
      modified: now)
    guard let claim = Self.record(draft.draft.signed(by: key), app) else { return nil }
    self.app = app
    self.paper = paper
    self.key = key
    head = claim
  }

  /// The user id.
  public var id: UserID { head.subject }

  /// A rotation to a new key; the person goes on from it.
  public mutating func rotate(now: Milliseconds = Self.now) -> KeyRecord? {
    let next = SigningKey.generate()
    var draft = RecordDraft(.rotate, after: head, now: now)
    draft.publicKey = next.verifyingKey
    draft.publicBoxKey = next.boxKey.publicKey
    draft.reason = .routine
    let unsigned = draft.draft
    guard let record = Self.record(unsigned.signed(approvals: [unsigned.approval(by: key)], by: next), app) else {
      return nil
    }
    key = next
    head = record
    return record
  }

  private static func record(_ text: [UInt8], _ app: AppID) -> KeyRecord? {
    try? Submission.verify(text, app: app).get().record
  }

  /// The time of day.
  public static var now: Milliseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(time.tv_sec) * 1_000 + Milliseconds(time.tv_nsec) / 1_000_000
  }
}
