import Cryptography
import KeyRecords
import PeerstackFormat

/// Reads the members of a JSON object strictly: no unknown ones, each of its kind.
struct StrictFields {
  private let object: JSONObject
  private let pointer: String

  /// Refuses what is no object, and objects with members of other names than these.
  init(_ value: JSONValue, at pointer: String, names: Set<String>) throws(KeystoreError) {
    guard let object = value.object else { throw .invalidField(pointer: pointer) }
    // The unknown name itself is not repeated: it could hold anything.
    guard object.names.allSatisfy({ $0.string.map(names.contains) ?? false }) else {
      throw .invalidField(pointer: pointer)
    }
    self.object = object
    self.pointer = pointer
  }

  /// The JSON pointer of a member.
  func pointer(_ name: String) -> String { "\(pointer)/\(name)" }

  func value(_ name: String) throws(KeystoreError) -> JSONValue {
    guard let value = object[name] else { throw .invalidField(pointer: pointer(name)) }
    return value
  }

  func text(_ name: String) throws(KeystoreError) -> String {
    guard let text = try value(name).string else { throw .invalidField(pointer: pointer(name)) }
    return text
  }

  func app(_ name: String) throws(KeystoreError) -> AppID {
    guard let app = AppID(try text(name)) else { throw .invalidField(pointer: pointer(name)) }
    return app
  }

  /// Nil for `null`.
  func optionalText(_ name: String) throws(KeystoreError) -> String? {
    try value(name).isNull ? nil : try text(name)
  }

  func hash(_ name: String) throws(KeystoreError) -> RecordHash {
    guard let hash = RecordHash(try text(name)) else { throw .invalidField(pointer: pointer(name)) }
    return hash
  }

  /// A list of different hashes.
  func hashes(_ name: String, limit: Int) throws(KeystoreError) -> [RecordHash] {
    var hashes: [RecordHash] = []
    for (value, place) in try list(name, limit: limit) {
      guard let hash = value.string.flatMap({ RecordHash($0) }) else { throw .invalidField(pointer: place) }
      hashes.append(hash)
    }
    guard Set(hashes).count == hashes.count else { throw .invalidField(pointer: pointer(name)) }
    return hashes
  }

  /// Whether there is such a member: files that were written before it was invented have none.
  func has(_ name: String) -> Bool { object[name] != nil }

  /// An integer that is not negative.
  func integer(_ name: String) throws(KeystoreError) -> Int64 {
    guard let integer = try value(name).integer, integer >= 0 else { throw .invalidField(pointer: pointer(name)) }
    return integer
  }

  /// A list of at most `limit` elements, with their pointers.
  func list(_ name: String, limit: Int) throws(KeystoreError) -> [(JSONValue, String)] {
    guard let list = try value(name).array, list.count <= limit else { throw .invalidField(pointer: pointer(name)) }
    return list.enumerated().map { ($1, "\(pointer(name))/\($0)") }
  }

  /// Bytes in canonical base64.
  func bytes(_ name: String, count: Int? = nil) throws(KeystoreError) -> [UInt8] {
    guard let bytes = Base64.decodeCanonical(try text(name)), count == nil || bytes.count == count else {
      throw .invalidField(pointer: pointer(name))
    }
    return bytes
  }

  func key(_ name: String) throws(KeystoreError) -> VerifyingKey {
    try Self.key(try value(name), at: pointer(name))
  }

  /// Nil for `null`.
  func optionalKey(_ name: String) throws(KeystoreError) -> VerifyingKey? {
    let value = try value(name)
    return value.isNull ? nil : try Self.key(value, at: pointer(name))
  }

  /// A list of different keys.
  func keys(_ name: String, limit: Int) throws(KeystoreError) -> [VerifyingKey] {
    var keys: [VerifyingKey] = []
    for (value, place) in try list(name, limit: limit) {
      let key = try Self.key(value, at: place)
      guard !keys.contains(key) else { throw .invalidField(pointer: place) }
      keys.append(key)
    }
    return keys
  }

  private static func key(_ value: JSONValue, at pointer: String) throws(KeystoreError) -> VerifyingKey {
    guard let text = value.string, let bytes = Base64.decodeCanonical(text), let key = VerifyingKey(bytes) else {
      throw .invalidField(pointer: pointer)
    }
    return key
  }
}

extension JSONValue {
  static func key(_ key: VerifyingKey) -> JSONValue { .text(Base64.encode(key.bytes32)) }
  static func bytes(_ bytes: [UInt8]) -> JSONValue { .text(Base64.encode(bytes)) }
}
