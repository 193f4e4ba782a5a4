/// Bytes as text, in the spellings peerstack writes and the odd ones it reads.
///
/// Lengths are those of JavaScript: UTF-16 code units.
public enum PeerstackEncoding {
  /// Base64 as peerstack reads it: a multiple of four characters, `=` nowhere before the last two, unused bits
  /// ignored. Nil for a text that it does not take for base64.
  public static func decodeBase64(_ text: JSONString) -> [UInt8]? {
    var bytes: [UInt8] = []
    return text.withSpan { decodeBase64($0, into: &bytes) } ? bytes : nil
  }

  /// Base-36 pairs: each byte plus 36, as two digits. Every text can be read so: pairs that are no number give 0.
  public static func decodePairs(_ text: JSONString) -> [UInt8] {
    var bytes: [UInt8] = []
    text.withSpan { decodePairs($0, into: &bytes) }
    return bytes
  }

  /// The default way: base64 where that is possible, otherwise base-36 pairs.
  public static func decode(_ text: JSONString) -> [UInt8] {
    decodeBase64(text) ?? decodePairs(text)
  }

  /// Base-36 pairs, lower case. No bytes at all are written `10`, as peerstack does.
  public static func encodePairs(_ bytes: [UInt8]) -> String {
    guard !bytes.isEmpty else { return "10" }
    return bytes.map { String(Int($0) + radix, radix: radix) }.joined()
  }

  private static let radix = 36
  private static let padding = UInt8(ascii: "=")

  /// Replaces `bytes` by what a base64 text holds; false if it is none.
  static func decodeBase64(_ text: Span<UInt8>, into bytes: inout [UInt8]) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    guard text.count.isMultiple(of: 4) else { return false }
    guard text.count > 0 else { return true }
    let values = base64Values
    bytes.append(contentsOf: repeatElement(0, count: text.count / 4 * 3))
    var output = bytes.mutableSpan
    var place = 0
    var index = 0
    while index < text.count {
      let isLast = index == text.count - 4
      let first = values[Int(text[index])]
      let second = values[Int(text[index + 1])]
      let third = isLast && text[index + 2] == padding ? 0 : values[Int(text[index + 2])]
      let fourth = isLast && text[index + 3] == padding ? 0 : values[Int(text[index + 3])]
      guard (first | second | third | fourth) & notBase64 == 0 else { return false }
      output[place] = first << 2 | second >> 4
      output[place + 1] = second << 4 | third >> 2
      output[place + 2] = third << 6 | fourth
      place += 3
      index += 4
    }
    guard text[text.count - 1] == padding else { return true }
    bytes.removeLast(text[text.count - 2] == padding ? 2 : 1)
    return true
  }

  /// A bit that no value of a base64 character has.
  private static let notBase64: UInt8 = 0x80

  private static let base64Values: [UInt8] = {
    var values = [UInt8](repeating: notBase64, count: 256)
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (value, character) in alphabet.utf8.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  /// Replaces `bytes` by what base-36 pairs hold.
  static func decodePairs(_ text: Span<UInt8>, into bytes: inout [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    var reader = UTF16Reader()
    while let first = reader.next(in: text) {
      bytes.append(byte(ofPair: first, reader.next(in: text)))
    }
  }

  /// `parseInt(pair, 36) - 36` modulo 256, and 0 for NaN.
  private static func byte(ofPair first: UInt16, _ second: UInt16?) -> UInt8 {
    let secondDigit = second.flatMap { JavaScriptNumber.digit($0, radix: radix) }
    let number: Int
    if let firstDigit = JavaScriptNumber.digit(first, radix: radix) {
      number = secondDigit.map { firstDigit * radix + $0 } ?? firstDigit
    } else if let secondDigit, first == UInt16(UInt8(ascii: "-")) {
      number = -secondDigit
    } else if let secondDigit, first == UInt16(UInt8(ascii: "+")) || JavaScriptNumber.isWhitespace(first) {
      number = secondDigit
    } else {
      return 0
    }
    return UInt8(truncatingIfNeeded: number - radix)
  }
}
