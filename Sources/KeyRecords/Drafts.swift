public import Cryptography
public import PeerstackFormat

/// A key that signs registrar objects: approvals and outer signatures (protocol §3).
///
/// Apart from general signing, which refuses these objects: an approval is an ordinary peerstack signature.
public protocol RecordSigner {
  /// The public half.
  var verifyingKey: VerifyingKey { get }
  /// The signature over the 64 characters of a hash.
  func signature(forHash hash: Bytes32) -> Signature
}

extension SigningKey: RecordSigner {
  /// The signature over the 64 characters of a hash.
  public func signature(forHash hash: Bytes32) -> Signature {
    signature(for: Array(hash.hex.utf8))
  }
}

/// One approval: a key and its signature over the hash of an object without `approvals` and `signature` (protocol §3).
public struct Approval: Sendable, Hashable {
  /// Who approves.
  public let publicKey: VerifyingKey
  /// The signature.
  public let signature: Signature

  /// An approval that was made elsewhere.
  public init(publicKey: VerifyingKey, signature: Signature) {
    self.publicKey = publicKey
    self.signature = signature
  }

  var text: String { Base64.encode(publicKey.bytes32) }

  var json: JSONValue {
    ["publicKey": .text(text), "signature": .text(Base64.encode(signature.bytes))]
  }
}

/// A registrar object that is still to be approved and signed.
public struct Draft: Sendable, Hashable {
  /// All members but `approvals` and `signature`.
  public let unsigned: JSONObject

  /// A draft with these members.
  public init(_ unsigned: JSONObject) {
    self.unsigned = unsigned.omitting(["approvals", "signature"])
  }

  /// What approvals sign.
  public var approvalHash: Bytes32 {
    SHA256.hash(CanonicalJSON.bytes(of: .object(unsigned)))
  }

  /// An approval of this draft.
  public func approval(by signer: some RecordSigner) -> Approval {
    Approval(publicKey: signer.verifyingKey, signature: signer.signature(forHash: approvalHash))
  }

  /// The canonical JSON of the whole object. The approvals are put in their order; of one key the last counts.
  public func signed(approvals: [Approval] = [], by signer: some RecordSigner) -> [UInt8] {
    let byText = Dictionary(approvals.map { ($0.text, $0) }) { _, last in last }
    let sorted = byText.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value.json)
    return Self.signed(unsigned.setting("approvals", to: .array(sorted)), by: signer)
  }

  /// The canonical JSON of an object that these keys approve and the first of them in the order of approvals signs:
  /// policies and adjudications, and a `revoke` or `retire` that the key in force does not sign. Nil without any key.
  public func signed(approvedBy signers: [any RecordSigner]) -> [UInt8]? {
    let first = signers.min {
      Base64.encode($0.verifyingKey.bytes32).utf8.lexicographicallyPrecedes(
        Base64.encode($1.verifyingKey.bytes32).utf8)
    }
    guard let first else { return nil }
    return signed(approvals: signers.map { approval(by: $0) }, by: first)
  }

  /// The canonical JSON of an object that has a signature and no approvals: invitations and requests.
  public func signedWithoutApprovals(by signer: some RecordSigner) -> [UInt8] {
    Self.signed(unsigned, by: signer)
  }

  private static func signed(_ object: JSONObject, by signer: some RecordSigner) -> [UInt8] {
    let hash = SHA256.hash(CanonicalJSON.bytes(of: .object(object)))
    let text = Base64.encode(signer.signature(forHash: hash).bytes)
    return CanonicalJSON.bytes(of: .object(object.setting("signature", to: .text(text))))
  }
}

/// The fields of a key record that is to be made (protocol §3).
public struct RecordDraft: Sendable {
  /// The app.
  public var app: AppID
  /// The user.
  public var subject: UserID
  /// 0 for a claim.
  public var sequence: Int64
  /// The record it builds on.
  public var previous: RecordHash?
  /// What it does.
  public var action: KeyRecord.Action
  /// The key in force afterwards, or the one that stops.
  public var publicKey: VerifyingKey
  /// The X25519 key that goes with it.
  public var publicBoxKey: PublicBoxKey
  /// Who may act.
  public var authority: Authority
  /// How often continuity was broken.
  public var incarnation: Int64
  /// Only of actions that need one.
  public var reason: KeyRecord.Reason?
  /// A boundary of its own.
  public var compromised: Milliseconds?
  /// From when the key counts as retired for clients.
  public var expires: Milliseconds?
  /// A further registrar that may know of updates.
  public var sourceURL: String?
  /// When it is signed.
  public var modified: Milliseconds

  /// A first record.
  public init(
    claim subject: UserID, app: AppID, publicKey: VerifyingKey, publicBoxKey: PublicBoxKey, authority: Authority,
    modified: Milliseconds
  ) {
    self.app = app
    self.subject = subject
    sequence = 0
    action = .claim
    self.publicKey = publicKey
    self.publicBoxKey = publicBoxKey
    self.authority = authority
    incarnation = 0
    self.modified = modified
  }

  /// A record that builds on a head: the same keys, authority and incarnation, and for an `amend` the same expiry and
  /// source, until changed. `modified` is later than the head's, whatever the clock says.
  public init(_ action: KeyRecord.Action, after head: KeyRecord, now: Milliseconds) {
    app = head.app
    subject = head.subject
    sequence = head.sequence + 1
    previous = head.hash
    self.action = action
    publicKey = head.publicKey
    publicBoxKey = head.publicBoxKey
    authority = head.authority
    incarnation = head.incarnation
    if action == .amend { expires = head.expires }
    if !action.endsKey { sourceURL = head.sourceURL }
    modified = max(now, head.modified + 1)
  }

  /// The object, to be approved and signed.
  public var draft: Draft {
    var members: [(JSONString, JSONValue)] = [
      ("type", .text(ObjectType.keyRecord.rawValue)), ("id", .text("\(subject):k\(sequence)")), ("group", "users"),
      ("app", .text(app.text)), ("subject", .text(subject.text)), ("signer", .text(subject.text)),
      ("sequence", .integer(sequence)), ("action", .text(action.rawValue)),
      ("publicKey", .text(Base64.encode(publicKey.bytes32))),
      ("publicBoxKey", .text(Base64.encode(publicBoxKey.bytes32))), ("authority", authority.json),
      ("incarnation", .integer(incarnation)), ("modified", .integer(modified)),
    ]
    if let previous { members.append(("previous", .text(previous.hex))) }
    if let reason { members.append(("reason", .text(reason.rawValue))) }
    if let compromised { members.append(("compromised", .integer(compromised))) }
    if let expires { members.append(("expires", .integer(expires))) }
    if let sourceURL { members.append(("sourceUrl", .text(sourceURL))) }
    return Draft(JSONObject(members))
  }
}

extension PolicyRules {
  /// A policy with these rules, to be approved by the admins and signed by the first of its approvals (protocol §7).
  public func draft(app: AppID, after head: AppPolicy?, now: Milliseconds) -> Draft {
    let sequence = head.map { $0.sequence + 1 } ?? 0
    var unsigned: [(JSONString, JSONValue)] = [
      ("type", .text(ObjectType.policy.rawValue)), ("id", .text("\(app):p\(sequence)")), ("app", .text(app.text)),
      ("sequence", .integer(sequence)), ("modified", .integer(head.map { max(now, $0.modified + 1) } ?? now)),
    ]
    if let head { unsigned.append(("previous", .text(head.hash.hex))) }
    return Draft(JSONObject(unsigned + members))
  }
}
