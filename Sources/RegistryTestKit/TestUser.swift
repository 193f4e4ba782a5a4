public import Cryptography
public import KeyRecords
public import PeerstackFormat

/// Somebody with keys: makes records and signed objects.
public struct TestUser: Sendable {
  /// The id.
  public let id: UserID
  /// The app.
  public let app: AppID
  /// The key of the `paper` tier.
  public let paper: SigningKey
  /// The key in force, as the user sees it.
  public var key: SigningKey
  /// Who may act.
  public let authority: Authority

  /// A new user with a bound id and the tools' default authority, and a `registrar` tier if that is wanted.
  public init?(app: AppID, created: Milliseconds, paperDelay: Milliseconds = 0, hasRegistrarTier: Bool = false) {
    let (paper, key) = (SigningKey.generate(), SigningKey.generate())
    var tiers: [Tier] = [
      .keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: paperDelay), .signer,
    ]
    if hasRegistrarTier { tiers.append(.registrar(delay: Limits.registrarDelay.lowerBound)) }
    guard let authority = Authority(tiers: tiers) else { return nil }
    let commitment = BoundID.Commitment(
      created: created, authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    guard let id = BoundID.id(for: commitment) else { return nil }
    self.init(id: id, app: app, paper: paper, key: key, authority: authority)
  }

  /// A user with an id that is not bound.
  public init?(unbound id: String, app: AppID) {
    let (paper, key) = (SigningKey.generate(), SigningKey.generate())
    let tier = Tier.keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: 0)
    guard let id = UserID(id), let authority = Authority(tiers: [tier, .signer]) else { return nil }
    self.init(id: id, app: app, paper: paper, key: key, authority: authority)
  }

  private init(id: UserID, app: AppID, paper: SigningKey, key: SigningKey, authority: Authority) {
    self.id = id
    self.app = app
    self.paper = paper
    self.key = key
    self.authority = authority
  }

  /// The first record.
  public func claim(at now: Milliseconds) -> [UInt8] {
    RecordDraft(
      claim: id, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey, authority: authority,
      modified: now
    ).draft.signed(by: key)
  }

  /// A new key, approved by the one before.
  public mutating func rotate(after head: KeyRecord, at now: Milliseconds) -> [UInt8] {
    let old = key
    key = SigningKey.generate()
    var record = RecordDraft(.rotate, after: head, now: now)
    (record.publicKey, record.publicBoxKey, record.reason) = (key.verifyingKey, key.boxKey.publicKey, .routine)
    let draft = record.draft
    return draft.signed(approvals: [draft.approval(by: old)], by: key)
  }

  /// A new key, approved by paper or by others.
  public mutating func recover(
    after head: KeyRecord, at now: Milliseconds, reason: KeyRecord.Reason = .lost, compromised: Milliseconds? = nil,
    by approver: SigningKey? = nil, incarnation: Int64? = nil
  ) -> [UInt8] {
    key = SigningKey.generate()
    var record = RecordDraft(.recover, after: head, now: now)
    (record.publicKey, record.publicBoxKey, record.reason) = (key.verifyingKey, key.boxKey.publicKey, reason)
    record.compromised = compromised
    if let incarnation { record.incarnation = incarnation }
    let draft = record.draft
    return draft.signed(approvals: [draft.approval(by: approver ?? paper)], by: key)
  }

  /// The same keys, and another `sourceUrl`.
  public func amend(after head: KeyRecord, at now: Milliseconds, sourceURL: String?) -> [UInt8] {
    var record = RecordDraft(.amend, after: head, now: now)
    record.sourceURL = sourceURL
    return record.draft.signed(by: key)
  }

  /// The key stops.
  public func revoke(after head: KeyRecord, at now: Milliseconds) -> [UInt8] {
    var record = RecordDraft(.revoke, after: head, now: now)
    record.reason = .compromised
    return record.draft.signed(by: key)
  }

  /// An object by this user: the members, and `signer` and `signature`.
  public func sign(_ object: JSONObject, with other: SigningKey? = nil) -> JSONObject {
    PeerstackSignature.sign(object, as: JSONString(id.text), with: other ?? key)
  }

  /// The text of a note by this user.
  public func note(_ body: String, modified: Milliseconds, with other: SigningKey? = nil) -> [UInt8] {
    let object: JSONObject = [
      "id": .text("note-\(body)"), "type": "Note", "group": .text(id.text), "modified": .integer(modified),
      "body": .text(body),
    ]
    return JSONValue.object(sign(object, with: other)).text
  }

  /// The user's own `User` object.
  public func userObject(modified: Milliseconds, naming named: SigningKey? = nil) -> JSONObject {
    sign(PeerstackUser(id: JSONString(id.text), key: named ?? key, name: "Somebody", modified: modified).object)
  }
}
