public import Cryptography

/// The name of an app, the scope of everything a registrar keeps (protocol §2.1).
public struct AppID: Hashable, Sendable, CustomStringConvertible {
  /// 1 to 63 ASCII characters: lowercase letters, digits, `.` and `-`; the first and last a letter or digit.
  public let text: String

  /// Nil unless `text` has the form of §2.1.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last,
      first.isLowercaseAlphanumeric, last.isLowercaseAlphanumeric,
      bytes.allSatisfy({ $0.isLowercaseAlphanumeric || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") })
    else { return nil }
    self.text = text
  }

  public var description: String { text }
}

/// A peerstack user id without suffix (protocol §2.2).
public struct UserID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// 25 lowercase base-36 characters, or 32 lowercase hexadecimal ones (the old form).
  public let text: String

  static let length = 25
  static let oldLength = 32
  static let timeLength = 10

  /// Nil unless `text` has one of the two forms of §2.2.
  public init?(_ text: String) {
    let bytes = text.utf8
    switch bytes.count {
    case Self.length: guard bytes.allSatisfy(\.isLowercaseAlphanumeric) else { return nil }
    case Self.oldLength: guard bytes.allSatisfy(\.isLowercaseHexadecimal) else { return nil }
    default: return nil
    }
    self.text = text
  }

  /// The time in the first ten characters, in milliseconds; nil for the old hexadecimal form.
  public var creationTime: Timestamp? {
    guard text.utf8.count == Self.length else { return nil }
    // Ten base-36 digits are below 36¹⁰ < 2⁵², so this cannot overflow.
    return text.utf8.prefix(Self.timeLength).reduce(0) { $0 * 36 + Timestamp($1.base36Digit) }
  }

  public static func < (a: UserID, b: UserID) -> Bool { a.text < b.text }
  public var description: String { text }
}

/// SHA-256 over the canonical JSON of a whole record, `signature` included (protocol §1.3).
public struct RecordHash: Hashable, Sendable, CustomStringConvertible {
  /// The 32 bytes of the digest.
  public let bytes: Bytes32

  /// Wraps a digest that was computed elsewhere.
  public init(bytes: Bytes32) { self.bytes = bytes }

  /// Nil unless `hex` is 64 lowercase hexadecimal characters.
  public init?(hex: String) {
    guard hex.utf8.count == 64, hex.utf8.allSatisfy(\.isLowercaseHexadecimal),
      let bytes = Hex.decode(hex).flatMap({ Bytes32($0) })
    else { return nil }
    self.bytes = bytes
  }

  /// 64 lowercase hexadecimal characters.
  public var hex: String { Hex.encode(bytes.bytes) }
  public var description: String { hex }
}

extension UInt8 {
  var isLowercaseAlphanumeric: Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
  }
  var isLowercaseHexadecimal: Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
  }
  /// The value of a lowercase base-36 digit.
  var base36Digit: UInt8 { self <= UInt8(ascii: "9") ? self - UInt8(ascii: "0") : self - UInt8(ascii: "a") + 10 }
}
