import Cryptography
import PeerstackFormat

/// Reads the fields of one registrar object strictly: none unknown, none missing, each of its exact type (§1.2).
///
/// Every failure is `invalid-field` with the JSON pointer (RFC 6901) of the field.
struct FieldReader {
  let object: JSONObject
  let pointer: String

  init(_ value: JSONValue, at pointer: String = "", allowed: Set<String>) throws(Refusal) {
    guard let object = value.object else { throw .invalidField(pointer, "must be an object") }
    self.object = object
    self.pointer = pointer
    for (name, _) in object.members {
      let text = name.string ?? ""
      guard allowed.contains(text) else {
        throw .invalidField(at(text), "is no field of this object; take it out")
      }
    }
  }

  func at(_ name: String) -> String {
    let escaped = name.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "~0")
      .split(separator: "/", omittingEmptySubsequences: false).joined(separator: "~1")
    return "\(pointer)/\(escaped)"
  }

  func has(_ name: String) -> Bool { object[name] != nil }

  func value(_ name: String) throws(Refusal) -> JSONValue {
    guard let value = object[name] else { throw .invalidField(at(name), "is missing") }
    return value
  }

  func string(_ name: String) throws(Refusal) -> String {
    guard let text = try value(name).string else { throw .invalidField(at(name), "must be a string") }
    return text
  }

  func exactly(_ name: String, _ expected: String) throws(Refusal) {
    guard try string(name) == expected else { throw .invalidField(at(name), "must be \"\(expected)\"") }
  }

  func integer(_ name: String, in range: ClosedRange<Int64>) throws(Refusal) -> Int64 {
    guard let n = try value(name).integer else { throw .invalidField(at(name), "must be an integer") }
    guard range.contains(n) else {
      throw .invalidField(at(name), "must be from \(range.lowerBound) to \(range.upperBound)")
    }
    return n
  }

  func time(_ name: String) throws(Refusal) -> Timestamp {
    try integer(name, in: 0...Limits.largestInteger)
  }

  func optionalTime(_ name: String) throws(Refusal) -> Timestamp? {
    has(name) ? try time(name) : nil
  }

  func array(_ name: String, count: ClosedRange<Int>) throws(Refusal) -> [JSONValue] {
    guard let items = try value(name).array else { throw .invalidField(at(name), "must be an array") }
    guard count.contains(items.count) else {
      throw .invalidField(at(name), "must have \(count.lowerBound) to \(count.upperBound) items")
    }
    return items
  }

  func recordHash(_ name: String) throws(Refusal) -> RecordHash {
    guard let hash = RecordHash(hex: try string(name)) else {
      throw .invalidField(at(name), "must be a record hash: 64 lowercase hexadecimal characters")
    }
    return hash
  }

  func verifyingKey(_ name: String) throws(Refusal) -> VerifyingKey {
    try Self.verifyingKey(try value(name), at: at(name))
  }

  static func verifyingKey(_ value: JSONValue, at pointer: String) throws(Refusal) -> VerifyingKey {
    guard let key = value.string.flatMap({ Base64.decodeCanonical($0) }).flatMap({ VerifyingKey($0) }) else {
      throw .invalidField(pointer, "must be 32 bytes in standard padded base64")
    }
    guard key.isValidPoint else {
      throw .invalidField(pointer, "is no usable Ed25519 key (not a canonical point of the prime-order subgroup)")
    }
    return key
  }

  func boxKey(_ name: String) throws(Refusal) -> PublicBoxKey {
    guard let key = Base64.decodeCanonical(try string(name)).flatMap({ PublicBoxKey($0) }) else {
      throw .invalidField(at(name), "must be 32 bytes in standard padded base64")
    }
    guard key.isCanonicalAndNotSmallOrder else {
      throw .invalidField(at(name), "is no usable X25519 key (not canonical, or of small order)")
    }
    return key
  }

  func signature(_ name: String) throws(Refusal) -> Signature {
    guard let signature = Base64.decodeCanonical(try string(name)).flatMap({ Signature($0) }) else {
      throw .invalidField(at(name), "must be 64 bytes in standard padded base64")
    }
    guard signature.isCanonical else {
      throw .invalidField(at(name), "is no canonical Ed25519 signature (S or R out of range, or R of small order)")
    }
    return signature
  }
}
