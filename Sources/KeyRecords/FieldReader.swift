import Cryptography
import PeerstackFormat

/// Reads the fields of a registrar object strictly; what is wrong is `invalid-field` with the field's JSON pointer.
struct FieldReader {
  let object: JSONObject
  let path: String
  /// Whether keys were found to be points before the object was stored. It costs most of all there is to check, and the
  /// same bytes have the same answer for ever.
  let areKeysVerified: Bool

  /// The fields of a value at a JSON pointer.
  init(_ value: JSONValue, at path: String = "", areKeysVerified: Bool = false) throws(Refusal) {
    guard let object = value.object else { throw .invalidField(path) }
    self.object = object
    self.path = path
    self.areKeysVerified = areKeysVerified
  }

  /// Refuses fields that are not named, and the absence of those that are required.
  func check(required: [String], optional: [String] = []) throws(Refusal) {
    var found = 0
    for name in object.names {
      if let text = name.string {
        if required.contains(text) {
          found += 1
          continue
        }
        if optional.contains(text) { continue }
      }
      throw .invalidField(pointer(name.string ?? "\u{FFFD}"))
    }
    // No name comes twice: so many were found that none is missing.
    if found == required.count { return }
    for name in required where object[name] == nil { throw .invalidField(pointer(name)) }
  }

  /// RFC 6901.
  func pointer(_ name: String) -> String {
    guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
      return path + "/" + name
    }
    var escaped = ""
    for character in name.unicodeScalars {
      switch character {
      case "~": escaped += "~0"
      case "/": escaped += "~1"
      default: escaped.unicodeScalars.append(character)
      }
    }
    return "\(path)/\(escaped)"
  }

  func has(_ name: String) -> Bool { object[name] != nil }

  func fail(_ name: String) -> Refusal { .invalidField(pointer(name)) }

  func text(_ name: String) throws(Refusal) -> String {
    guard let text = object[name]?.string else { throw fail(name) }
    return text
  }

  func expect(_ name: String, _ text: String) throws(Refusal) {
    guard try self.text(name) == text else { throw fail(name) }
  }

  func integer(_ name: String, in range: ClosedRange<Int64> = 0...JSONValue.maxSafeInteger) throws(Refusal) -> Int64 {
    guard let integer = object[name]?.integer, range.contains(integer) else { throw fail(name) }
    return integer
  }

  func integerIfPresent(_ name: String) throws(Refusal) -> Int64? {
    has(name) ? try integer(name) : nil
  }

  /// 1…64 Unicode scalar values (§7, §8).
  func nonce() throws(Refusal) -> String {
    let nonce = try text("nonce")
    guard Limits.nonce.contains(nonce.unicodeScalars.count) else { throw fail("nonce") }
    return nonce
  }

  func array(_ name: String) throws(Refusal) -> [JSONValue] {
    guard let elements = object[name]?.array else { throw fail(name) }
    return elements
  }

  func hash(_ name: String) throws(Refusal) -> RecordHash {
    guard let hash = RecordHash(try text(name)) else { throw fail(name) }
    return hash
  }

  func appID(_ name: String = "app") throws(Refusal) -> AppID {
    guard let app = AppID(try text(name)) else { throw fail(name) }
    return app
  }

  func userID(_ name: String) throws(Refusal) -> UserID {
    guard let user = UserID(try text(name)) else { throw fail(name) }
    return user
  }

  func verifyingKey(_ name: String) throws(Refusal) -> VerifyingKey {
    guard let value = object[name], let key = verifyingKey(value) else { throw fail(name) }
    return key
  }

  func publicBoxKey(_ name: String) throws(Refusal) -> PublicBoxKey {
    guard let text = object[name]?.string, let bytes = Base64.decodeCanonical(text), let key = PublicBoxKey(bytes),
      key.isCanonicalAndNotSmallOrder
    else { throw fail(name) }
    return key
  }

  func signature(_ name: String = "signature") throws(Refusal) -> Signature {
    guard let text = object[name]?.string, let bytes = Base64.decodeCanonical(text), let signature = Signature(bytes),
      signature.hasCanonicalForm
    else { throw fail(name) }
    return signature
  }

  /// Keys in order, none twice; `name` is at fault when there are too many or one comes twice.
  func keys(_ name: String) throws(Refusal) -> [VerifyingKey] {
    let elements = try array(name)
    guard Limits.tierKeys.contains(elements.count) else { throw fail(name) }
    var keys: [VerifyingKey] = []
    for (index, element) in elements.enumerated() {
      guard let key = verifyingKey(element) else { throw .invalidField("\(pointer(name))/\(index)") }
      keys.append(key)
    }
    guard Set(keys).count == keys.count else { throw fail(name) }
    return keys
  }

  /// A canonical point of the prime-order subgroup in canonical base64 (§1.2).
  private func verifyingKey(_ value: JSONValue) -> VerifyingKey? {
    guard let text = value.string, let bytes = Base64.decodeCanonical(text), let key = VerifyingKey(bytes),
      areKeysVerified || key.isValidPoint
    else { return nil }
    return key
  }
}

extension FieldReader {
  /// An authority (§4).
  ///
  /// - Parameter count: bytes of the canonical text that it is a part of: it has no more.
  func authority(_ name: String = "authority", inTextOf count: Int = .max) throws(Refusal) -> Authority {
    let elements = try array(name)
    guard Limits.tiers.contains(elements.count) else { throw fail(name) }
    var tiers: [Tier] = []
    for (rank, element) in elements.enumerated() {
      let fields = try FieldReader(element, at: "\(pointer(name))/\(rank)", areKeysVerified: areKeysVerified)
      let tier = try fields.tier()
      if case .registrar = tier, rank != elements.count - 1 { throw .invalidField(fields.path) }
      tiers.append(tier)
    }
    guard let authority = Authority(tiers: tiers) else { throw fail(name) }
    guard count <= Limits.authorityBytes || CanonicalJSON.bytes(of: .array(elements)).count <= Limits.authorityBytes
    else { throw fail(name) }
    return authority
  }

  private func tier() throws(Refusal) -> Tier {
    guard has("role") else {
      try check(required: ["name", "keys", "threshold", "delay"])
      let name = try text("name")
      guard Limits.tierName.contains(name.utf8.count), name.utf8.allSatisfy(Self.isNameByte) else { throw fail("name") }
      let keys = try keys("keys")
      return .keys(
        name: name, keys: keys, threshold: Int(try integer("threshold", in: 1...Int64(keys.count))),
        delay: try integer("delay", in: Limits.tierDelay))
    }
    switch try text("role") {
    case "signer":
      try check(required: ["role"])
      return .signer
    case "registrar":
      try check(required: ["role", "delay"])
      return .registrar(delay: try integer("delay", in: Limits.registrarDelay))
    default: throw fail("role")
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    AppID.isAlphanumeric(byte) || byte == UInt8(ascii: "-")
  }

  /// Admins (§7).
  func admins() throws(Refusal) -> Admins {
    guard let value = object["admins"] else { throw fail("admins") }
    let fields = try FieldReader(value, at: pointer("admins"), areKeysVerified: areKeysVerified)
    try fields.check(required: ["keys", "threshold"])
    let keys = try fields.keys("keys")
    let threshold = try fields.integer("threshold", in: 1...Int64(keys.count))
    guard let admins = Admins(keys: keys, threshold: Int(threshold)) else { throw fail("admins") }
    return admins
  }
}
