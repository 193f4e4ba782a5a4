/// Percent-encoding of URLs (RFC 3986 §2.1).
public enum PercentCoding {
  /// The text that `encoded` stands for; nil for a `%` without two hexadecimal digits, and for what is not UTF-8.
  ///
  /// A `+` stays a plus: base64 is full of them, and the rule that makes it a space belongs to HTML forms.
  public static func decode(_ encoded: some Collection<UInt8>) -> String? {
    guard let bytes = decodedBytes(encoded) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  /// The same for a string.
  public static func decode(_ encoded: some StringProtocol) -> String? {
    decode(Array(encoded.utf8))
  }

  private static func decodedBytes(_ encoded: some Collection<UInt8>) -> [UInt8]? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(encoded.count)
    var rest = encoded.makeIterator()
    while let byte = rest.next() {
      guard byte == ASCII.percent else {
        decoded.append(byte)
        continue
      }
      guard let high = rest.next().flatMap(ASCII.hexDigitValue), let low = rest.next().flatMap(ASCII.hexDigitValue)
      else { return nil }
      decoded.append(high << 4 | low)
    }
    return decoded
  }

  /// `text` so that it can stand as one path segment or query value: all but letters, digits and `-._~` is escaped.
  public static func encode(_ text: some StringProtocol) -> String {
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      if ASCII.unreserved.contains(byte) {
        encoded.append(byte)
      } else {
        encoded.append(ASCII.percent)
        encoded.append(hexDigits[Int(byte >> 4)])
        encoded.append(hexDigits[Int(byte & 15)])
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  private static let hexDigits = Array("0123456789ABCDEF".utf8)

  /// The decoded segments of a path, which begins with a slash: `/a/b` has two, `/a/` has `a` and an empty one, `/` one
  /// empty one. Nil for a bad escape or another beginning. An escaped slash is part of its segment.
  public static func pathSegments(_ path: some Collection<UInt8>) -> [String]? {
    guard path.first == ASCII.slash else { return nil }
    var segments: [String] = []
    for segment in path.dropFirst().split(separator: ASCII.slash, omittingEmptySubsequences: false) {
      guard let text = decode(segment) else { return nil }
      segments.append(text)
    }
    return segments
  }
}
