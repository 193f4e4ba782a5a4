public import Cryptography
public import KeyRecords
import PeerstackFormat

/// A record that is still to be approved, as its owner hands it to friends. Nothing in it is proven.
public struct ApprovalRequest: Sendable {
  /// What the text begins with.
  public static let prefix = "PEERKEY-REQUEST-1"

  /// The record without approvals and signature.
  public let draft: Draft
  /// The app.
  public let app: AppID
  /// Whose keys would change.
  public let subject: UserID
  /// What would be done.
  public let action: KeyRecord.Action
  /// Why.
  public let reason: KeyRecord.Reason?
  /// The key that would be in force.
  public let publicKey: VerifyingKey
  /// Who may act afterwards.
  public let authority: Authority
  /// The record it builds on.
  public let previous: RecordHash
  /// When it was made, as its maker says.
  public let modified: Milliseconds
  /// From when on the key before was in wrong hands.
  public let compromised: Milliseconds?

  /// Reads a draft as the keystore has it.
  public init?(draft text: String) {
    guard let object = (try? JSONValue.parseStrict(Array(text.utf8)))?.object else { return nil }
    self.init(object)
  }

  /// Reads what an owner sent.
  public init?(text: [UInt8]) {
    guard let object = CarriedText.object(text, prefix: Self.prefix) else { return nil }
    self.init(object)
  }

  private init?(_ object: JSONObject) {
    draft = Draft(object)
    guard draft.unsigned.count == object.count, object["type"]?.string == ObjectType.keyRecord.rawValue,
      let app = object["app"]?.string.flatMap({ AppID($0) }),
      let subject = object["subject"]?.string.flatMap({ UserID($0) }), object["signer"]?.string == subject.text,
      let action = object["action"]?.string.flatMap(KeyRecord.Action.init(rawValue:)),
      let publicKey = object["publicKey"]?.string.flatMap(ApprovalKey.key),
      case .success(let authority)? = object["authority"].map({ Authority.read($0) }),
      let previous = object["previous"]?.string.flatMap({ RecordHash($0) }), let modified = object["modified"]?.integer
    else { return nil }
    self.app = app
    self.subject = subject
    self.action = action
    self.publicKey = publicKey
    self.authority = authority
    self.previous = previous
    self.modified = modified
    reason = object["reason"]?.string.flatMap(KeyRecord.Reason.init(rawValue:))
    compromised = object["compromised"]?.integer
  }

  /// What to hand over.
  public var text: String { CarriedText.text(draft.unsigned, prefix: Self.prefix) }

  /// Until when a record with this draft is taken.
  public var deadline: Milliseconds { modified + Limits.clockSkew }

  /// A few digits to compare by voice: they are the same on both sides, and on no other request.
  public var checkDigits: String {
    let number = draft.approvalHash.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let digits = String(number % 1_000_000_000_000)
    let padded = String(repeating: "0", count: 12 - digits.count) + digits
    return stride(from: 0, to: 12, by: 4).map { start in
      String(padded.dropFirst(start).prefix(4))
    }.joined(separator: " ")
  }
}

/// A friend's approval, as it comes back.
public struct ApprovalAnswer: Sendable {
  /// What the text begins with.
  public static let prefix = "PEERKEY-APPROVAL-1"

  /// The hash it approves.
  public let hash: Bytes32
  /// The approval.
  public let approval: Approval

  /// An answer that is to be sent.
  public init(hash: Bytes32, approval: Approval) {
    self.hash = hash
    self.approval = approval
  }

  /// Reads and verifies an answer; nil if it is none, or its signature does not verify.
  public init?(text: [UInt8]) {
    guard let object = CarriedText.object(text, prefix: Self.prefix),
      let hash = object["hash"]?.string.flatMap({ RecordHash($0) })?.bytes32,
      let key = object["publicKey"]?.string.flatMap(ApprovalKey.key),
      let signature = object["signature"]?.string.flatMap(Base64.decodeCanonical).flatMap({ Signature($0) }),
      key.isValidSignature(signature, for: Array(hash.hex.utf8))
    else { return nil }
    self.hash = hash
    approval = Approval(publicKey: key, signature: signature)
  }

  /// What to send back.
  public var text: String {
    CarriedText.text(
      [
        "hash": .text(hash.hex), "publicKey": .text(ApprovalKey.text(approval.publicKey)),
        "signature": .text(Base64.encode(approval.signature.bytes)),
      ], prefix: Self.prefix)
  }
}

/// Keys in these texts: as peerstack spells them, and points of the prime-order subgroup.
private enum ApprovalKey {
  static func text(_ key: VerifyingKey) -> String { Base64.encode(key.bytes32) }

  static func key(_ text: String) -> VerifyingKey? { VerifyingKey(base64: text) }
}
