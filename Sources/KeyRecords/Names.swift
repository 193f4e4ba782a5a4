public import Cryptography
import PeerstackFormat

/// The name of an app (protocol §2.1).
public struct AppID: Hashable, Sendable, CustomStringConvertible {
  /// Lower-case letters, digits, dots and dashes.
  public let text: String

  // Not generic: unspecialised, a generic initializer asks for every character through a witness table.

  /// Nil for what is no app id.
  public init?(_ text: String) {
    let characters = text.utf8
    guard Limits.appID.contains(characters.count), let first = characters.first, let last = characters.last,
      Self.isAlphanumeric(first), Self.isAlphanumeric(last),
      characters.allSatisfy({ Self.isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") })
    else { return nil }
    self.text = text
  }

  /// Nil for what is no app id.
  public init?(_ text: Substring) { self.init(String(text)) }

  /// The id itself.
  public var description: String { text }

  static func isAlphanumeric(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 26
  }
}

/// A peerstack user id without suffix, in lower case (protocol §2.2).
public struct UserID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// Characters of an id of today's kind: ten of time, fifteen that are random or bound.
  public static let count = 25
  /// Characters of an id of the old kind, which is hexadecimal.
  public static let oldCount = 32
  /// Characters at the end of a bound id that prove its first record (§2.3).
  public static let boundCount = 15

  /// The id.
  public let text: String

  /// Nil for what is no user id.
  public init?(_ text: String) {
    let characters = text.utf8
    switch characters.count {
    case Self.count: guard characters.allSatisfy(AppID.isAlphanumeric) else { return nil }
    case Self.oldCount:
      guard characters.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 || $0 &- UInt8(ascii: "a") < 6 }) else { return nil }
    default: return nil
    }
    self.text = text
  }

  /// Nil for what is no user id.
  public init?(_ text: Substring) { self.init(String(text)) }

  /// The time of creation; nil for an id of the old kind, which has none.
  public var created: Milliseconds? {
    guard text.utf8.count == Self.count else { return nil }
    return Milliseconds(text.prefix(PeerstackID.timeCount), radix: 36)
  }

  /// The id itself.
  public var description: String { text }

  /// The order of the characters.
  public static func < (left: UserID, right: UserID) -> Bool { left.text < right.text }
}

/// SHA-256 of the canonical JSON of a whole record, `signature` included (protocol §1.3).
public struct RecordHash: Hashable, Sendable, CustomStringConvertible {
  /// Characters of the text.
  public static let textCount = 64

  /// The 32 bytes.
  public let bytes32: Bytes32

  /// Wraps a hash.
  public init(_ bytes: Bytes32) { bytes32 = bytes }

  /// The hash of canonical bytes.
  public init(of canonical: [UInt8]) { bytes32 = SHA256.hash(canonical) }

  /// Nil unless the text is 64 lower-case hex characters.
  public init?(_ text: String) {
    guard text.utf8.count == Self.textCount, let bytes = Hex.decode(text), let hash = Bytes32(bytes) else { return nil }
    bytes32 = hash
  }

  /// 64 lower-case hex characters.
  public var hex: String { bytes32.hex }

  /// 64 lower-case hex characters.
  public var description: String { hex }
}
