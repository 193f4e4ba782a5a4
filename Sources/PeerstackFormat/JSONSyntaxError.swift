/// Why bytes are not the JSON that was asked for. Every case names the offset, in bytes, at which it was noticed.
public enum JSONSyntaxError: Error, Hashable, Sendable {
  /// More bytes than the limit allows.
  case tooLarge(count: Int, limit: Int)
  /// Containers nested more deeply than the limit allows; the top level is 1.
  case tooDeep(offset: Int, limit: Int)
  /// The text ends inside a value, or holds none.
  case unexpectedEnd(offset: Int)
  /// A byte that cannot stand here.
  case unexpectedByte(UInt8, offset: Int)
  /// More text after the value.
  case trailingContent(offset: Int)
  /// Bytes that are not UTF-8 (RFC 3629).
  case invalidUTF8(offset: Int)
  /// A byte below 0x20 inside a string.
  case controlCharacter(offset: Int)
  /// A backslash sequence JSON does not have.
  case invalidEscape(offset: Int)
  /// Something that begins like a number but is none.
  case invalidNumber(offset: Int)
  /// Strict reading: a name that its object has already.
  case duplicateName(offset: Int)
  /// Strict reading: an escape for half of a surrogate pair.
  case loneSurrogate(offset: Int)
  /// Strict reading: a number that is not a plain integer within ±(2⁵³ − 1).
  case notAnInteger(offset: Int)

  /// Where it was noticed, in bytes from the beginning.
  public var offset: Int {
    switch self {
    case .tooLarge(_, let limit): limit
    case .tooDeep(let offset, _), .unexpectedEnd(let offset), .unexpectedByte(_, let offset),
      .trailingContent(let offset), .invalidUTF8(let offset), .controlCharacter(let offset),
      .invalidEscape(let offset), .invalidNumber(let offset), .duplicateName(let offset),
      .loneSurrogate(let offset), .notAnInteger(let offset):
      offset
    }
  }
}

extension JSONSyntaxError: CustomStringConvertible {
  /// One phrase for people, without any of the text itself.
  public var description: String {
    switch self {
    case .tooLarge(let count, let limit): "the text has \(count) bytes, more than \(limit)"
    case .tooDeep(let offset, let limit): "nested deeper than \(limit) at byte \(offset)"
    case .unexpectedEnd(let offset): "the text ends too early, at byte \(offset)"
    case .unexpectedByte(let byte, let offset): "unexpected byte \(byte) at byte \(offset)"
    case .trailingContent(let offset): "more text after the value, at byte \(offset)"
    case .invalidUTF8(let offset): "not UTF-8 at byte \(offset)"
    case .controlCharacter(let offset): "a control character inside a string at byte \(offset)"
    case .invalidEscape(let offset): "an unknown escape at byte \(offset)"
    case .invalidNumber(let offset): "not a number at byte \(offset)"
    case .duplicateName(let offset): "a name for the second time in its object, at byte \(offset)"
    case .loneSurrogate(let offset): "half a surrogate pair at byte \(offset)"
    case .notAnInteger(let offset): "a number that is not a plain integer within ±(2^53-1) at byte \(offset)"
    }
  }
}
