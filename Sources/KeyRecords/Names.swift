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

  /// The characters and zeros behind them, as they lie in memory: an id in a table or an array costs no heap memory and no
  /// reference counts, and is compared by four words.
  public private(set) var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// Nil for what is no user id.
  public init?(_ characters: Span<UInt8>) {
    switch characters.count {
    case Self.count: for index in characters.indices where !AppID.isAlphanumeric(characters[index]) { return nil }
    case Self.oldCount: for index in characters.indices where !Self.isHexadecimal(characters[index]) { return nil }
    default: return nil
    }
    withUnsafeMutableBytes(of: &words) { target in
      characters.withUnsafeBytes { target.copyMemory(from: $0) }
    }
  }

  /// Nil for what is no user id.
  public init?(_ text: String) { self.init(text.utf8Span.span) }

  /// Nil for what is no user id.
  public init?(_ text: Substring) { self.init(text.utf8Span.span) }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 6
  }

  /// The id.
  public var text: String {
    withCharacters { span in span.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }
  }

  /// The time of creation; nil for an id of the old kind, which has none.
  public var created: Milliseconds? {
    guard isOfToday else { return nil }
    return Milliseconds(text.prefix(PeerstackID.timeCount), radix: 36)
  }

  /// No character is a zero byte, so an id of the old kind has none.
  private var isOfToday: Bool { withUnsafeBytes(of: words) { $0[Self.count] == 0 } }

  /// How many characters the id has.
  public var characterCount: Int { isOfToday ? Self.count : Self.oldCount }

  /// Gives the ASCII characters in place to `body`.
  public func withCharacters<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    let count = characterCount
    return try withUnsafeBytes(of: words) { raw in
      try raw.withMemoryRebound(to: UInt8.self) { try body($0.span.extracting(first: count)) }
    }
  }

  /// Appends the ASCII characters to `output`.
  public func append(to output: inout [UInt8]) {
    withCharacters { characters in characters.withUnsafeBufferPointer { output.append(contentsOf: $0) } }
  }

  /// The id itself.
  public var description: String { text }

  /// Whether all characters are the same.
  public static func == (left: UserID, right: UserID) -> Bool {
    left.words.0 == right.words.0 && left.words.1 == right.words.1 && left.words.2 == right.words.2
      && left.words.3 == right.words.3
  }

  /// Hashes the characters.
  public func hash(into hasher: inout Hasher) {
    withUnsafeBytes(of: words) { hasher.combine(bytes: $0) }
  }

  /// The order of the characters.
  public static func < (left: UserID, right: UserID) -> Bool {
    if left.words.0 != right.words.0 { return left.words.0.bigEndian < right.words.0.bigEndian }
    if left.words.1 != right.words.1 { return left.words.1.bigEndian < right.words.1.bigEndian }
    if left.words.2 != right.words.2 { return left.words.2.bigEndian < right.words.2.bigEndian }
    return left.words.3.bigEndian < right.words.3.bigEndian
  }
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
