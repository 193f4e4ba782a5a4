import Cryptography

/// Ids: 25 characters of base 36, the first ten the time of creation; or 32 of hex (the old kind). Both may have
/// suffixes of `:` and letters or digits.
public enum PeerstackID {
  /// Characters of an id at most, in UTF-16 code units.
  public static let maxCount = 128
  /// Milliseconds that an id may lie in the future, exclusive.
  public static let futureToleranceMilliseconds: Int64 = 300_000
  /// Characters of the time of creation.
  public static let timeCount = 10

  private static let idCount = 25
  private static let oldIDCount = 32
  private static let randomCount = 15
  private static let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)

  /// JavaScript would throw a TypeError instead of an answer: the value is an object that cannot become a text.
  public struct ConversionError: Error, Hashable, Sendable {}

  /// Whether peerstack takes a value for an id of either kind, at the time `now` in milliseconds. Like the library it
  /// also takes an array that holds nothing but an id.
  public static func isID(_ value: JSONValue, now: Int64) throws(ConversionError) -> Bool {
    let text = try idText(of: value)
    if isShaped(text, count: oldIDCount, isDigit: Hex.isDigit) { return true }
    guard isShaped(text, count: idCount, isDigit: isBase36Digit), let time = time(of: text) else { return false }
    return time < Double(now + futureToleranceMilliseconds)
  }

  /// Whether peerstack takes a value for an id of the old kind, 32 characters of hex.
  public static func isOldID(_ value: JSONValue) throws(ConversionError) -> Bool {
    isShaped(try idText(of: value), count: oldIDCount, isDigit: Hex.isDigit)
  }

  /// The time of creation in milliseconds: what `parseInt` makes of the first ten characters. Nil for NaN.
  public static func time(of id: JSONString) -> Double? {
    JavaScriptNumber.parsedInteger(Array(id.utf16.prefix(timeCount)), radix: 36)
  }

  /// The first characters of an id made at `now`: base 36, at least ten digits.
  public static func timePart(now: Int64) -> String {
    let text = String(max(now, 0), radix: 36)
    return String(repeating: "0", count: max(0, timeCount - text.count)) + text
  }

  /// A new id for the time `now` in milliseconds: ten characters of time and fifteen random ones, without bias.
  public static func make(now: Int64) -> String {
    var random: [UInt8] = []
    while random.count < randomCount {
      // 252 = 7 · 36: beyond it some digits would come up more often.
      for byte in Randomness.bytes(randomCount) where byte < 252 && random.count < randomCount {
        random.append(digits[Int(byte) % digits.count])
      }
    }
    return timePart(now: now) + String(decoding: random, as: UTF8.self)
  }

  /// The text the library's pattern is applied to, and empty if it is too long. Only strings are measured: the
  /// `length` of an array that holds one id is 1.
  private static func idText(of value: JSONValue) throws(ConversionError) -> JSONString {
    let text: JSONString
    do {
      text = try JavaScriptText.text(of: value)
    } catch {
      throw ConversionError()
    }
    switch value {
    case .string: return text.utf16.count <= maxCount ? text : ""
    case .array: return text
    default: return ""
    }
  }

  private static func isShaped(_ text: JSONString, count: Int, isDigit: (UInt8) -> Bool) -> Bool {
    let bytes = text.bytes
    guard bytes.count >= count, bytes[..<count].allSatisfy(isDigit) else { return false }
    guard bytes.count > count else { return true }
    guard bytes[count] == UInt8(ascii: ":") else { return false }
    return bytes[(count + 1)...].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      .allSatisfy { !$0.isEmpty && $0.allSatisfy(isBase36Digit) }
  }

  private static func isBase36Digit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: false
    }
  }
}
