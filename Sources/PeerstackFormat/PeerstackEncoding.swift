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
    var group: UInt32 = 0
    for index in text.indices {
      let character = text[index]
      guard let value = base64Value(character), character != padding || index >= text.count - 2 else { return false }
      group = group << 6 | UInt32(value)
      guard index & 3 == 3 else { continue }
      bytes.append(UInt8(truncatingIfNeeded: group >> 16))
      bytes.append(UInt8(truncatingIfNeeded: group >> 8))
      bytes.append(UInt8(truncatingIfNeeded: group))
    }
    guard text.count > 0, text[text.count - 1] == padding else { return true }
    bytes.removeLast(text[text.count - 2] == padding ? 2 : 1)
    return true
  }

  @inline(__always)
  private static func base64Value(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    case padding: 0
    default: nil
    }
  }

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
