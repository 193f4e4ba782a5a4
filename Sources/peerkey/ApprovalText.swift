import Cryptography
import KeyRecords
import PeerstackFormat

/// Small texts that travel by mail, chat or paper: a prefix, JSON in base64 of the URL kind, and a checksum.
///
/// The checksum finds accidents. What is inside is judged by whoever uses it.
enum CarriedText {
  private static let checkCount = 8
  static let maxBytes = 64 << 10

  /// The text of an object.
  static func text(_ object: JSONObject, prefix: String) -> String {
    let bytes = CanonicalJSON.bytes(of: .object(object))
    let body = Base64.encode(bytes).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" }
    return "\(prefix).\(String(body)).\(SHA256.hash(bytes).hex.prefix(checkCount))"
  }

  /// The object of a text; whatever is around it, and line breaks and marks of quotation within it, are left out.
  static func object(_ text: [UInt8], prefix: String) -> JSONObject? {
    guard text.count <= maxBytes else { return nil }
    var rest = text.filter { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ">") }[...]
    // A mail may quote a part of it before the whole.
    while let start = rest.firstRange(of: Array("\(prefix).".utf8)) {
      rest = rest[start.upperBound...]
      if let object = object(after: rest) { return object }
    }
    return nil
  }

  private static func object(after rest: ArraySlice<UInt8>) -> JSONObject? {
    guard let dot = rest.firstIndex(of: UInt8(ascii: ".")) else { return nil }
    let check = rest[rest.index(after: dot)...].prefix(checkCount)
    var body = rest[..<dot].map { byte in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: byte
      }
    }
    while body.count % 4 != 0 { body.append(UInt8(ascii: "=")) }
    guard let bytes = Base64.decodeCanonical(body),
      SHA256.hash(bytes).hex.utf8.prefix(checkCount).elementsEqual(check)
    else { return nil }
    return (try? JSONValue.parseStrict(bytes))?.object
  }
}

/// A record that is still to be approved, as its owner hands it to friends. Nothing in it is proven.
struct ApprovalRequest {
  static let prefix = "PEERKEY-REQUEST-1"

  let draft: Draft
  let app: AppID
  let subject: UserID
  let action: KeyRecord.Action
  let reason: KeyRecord.Reason?
  let publicKey: VerifyingKey
  let authority: Authority
  let previous: RecordHash
  let modified: Milliseconds
  let compromised: Milliseconds?

  /// Reads a draft as the keystore has it.
  init?(draft text: String) {
    guard let object = (try? JSONValue.parseStrict(Array(text.utf8)))?.object else { return nil }
    self.init(object)
  }

  /// Reads what an owner sent.
  init?(text: [UInt8]) {
    guard let object = CarriedText.object(text, prefix: Self.prefix) else { return nil }
    self.init(object)
  }

  private init?(_ object: JSONObject) {
    draft = Draft(object)
    guard draft.unsigned.count == object.count, object["type"]?.string == ObjectType.keyRecord.rawValue,
      let app = object["app"]?.string.flatMap({ AppID($0) }),
      let subject = object["subject"]?.string.flatMap({ UserID($0) }), object["signer"]?.string == subject.text,
      let action = object["action"]?.string.flatMap(KeyRecord.Action.init(rawValue:)),
      let publicKey = object["publicKey"]?.string.flatMap(KeyText.key),
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
  var text: String { CarriedText.text(draft.unsigned, prefix: Self.prefix) }

  /// Until when a record with this draft is taken.
  var deadline: Milliseconds { modified + Limits.clockSkew }

  /// A few digits to compare by voice: they are the same on both sides, and on no other request.
  var checkDigits: String {
    let number = draft.approvalHash.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let digits = String(number % 1_000_000_000_000)
    let padded = String(repeating: "0", count: 12 - digits.count) + digits
    return stride(from: 0, to: 12, by: 4).map { start in
      String(padded.dropFirst(start).prefix(4))
    }.joined(separator: " ")
  }
}

/// A friend's approval, as it comes back.
struct ApprovalAnswer {
  static let prefix = "PEERKEY-APPROVAL-1"

  /// The hash it approves.
  let hash: Bytes32
  let approval: Approval

  init(hash: Bytes32, approval: Approval) {
    self.hash = hash
    self.approval = approval
  }

  /// Reads and verifies an answer; nil if it is none, or its signature does not verify.
  init?(text: [UInt8]) {
    guard let object = CarriedText.object(text, prefix: Self.prefix),
      let hash = object["hash"]?.string.flatMap({ RecordHash($0) })?.bytes32,
      let key = object["publicKey"]?.string.flatMap(KeyText.key),
      let signature = object["signature"]?.string.flatMap(Base64.decodeCanonical).flatMap({ Signature($0) }),
      key.isValidSignature(signature, for: Array(hash.hex.utf8))
    else { return nil }
    self.hash = hash
    approval = Approval(publicKey: key, signature: signature)
  }

  /// What to send back.
  var text: String {
    CarriedText.text(
      [
        "hash": .text(hash.hex), "publicKey": .text(KeyText.text(approval.publicKey)),
        "signature": .text(Base64.encode(approval.signature.bytes)),
      ], prefix: Self.prefix)
  }
}
