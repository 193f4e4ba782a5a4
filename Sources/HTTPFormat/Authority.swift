/// Host and optional port, as in `Host` and in absolute-form targets (RFC 9110 §7.2, RFC 3986 §3.2).
///
/// Narrower than the RFCs: a name is made of letters, digits and `-._~`, an IPv6 address of what such addresses hold, and
/// a colon is followed by a port of 1…5 digits. User information, percent escapes and future address forms are refused.
enum Authority {
  /// Longest port: 65535.
  static let longestPort = 5

  static func isValid(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
    guard !range.isEmpty else { return false }
    let end = Int(range.end)
    guard let hostEnd = endOfHost(bytes, range) else { return false }
    guard hostEnd < end else { return true }
    let digits = hostEnd + 1..<end
    guard bytes[hostEnd] == ASCII.colon, (1...longestPort).contains(digits.count) else { return false }
    var port = 0
    for index in digits {
      guard ASCII.isDigit(bytes[index]) else { return false }
      port = port * 10 + Int(bytes[index] - ASCII.zero)
    }
    return port <= 65_535
  }

  private static func endOfHost(_ bytes: Span<UInt8>, _ range: ByteRange) -> Int? {
    let start = Int(range.start)
    let end = Int(range.end)
    var index = start
    if bytes[start] == ASCII.openBracket {
      index += 1
      while index < end, isAddressByte(bytes[index]) { index += 1 }
      guard index < end, bytes[index] == ASCII.closeBracket, index > start + 2 else { return nil }
      return index + 1
    }
    while index < end, ASCII.unreserved.contains(bytes[index]) { index += 1 }
    return index > start ? index : nil
  }

  private static func isAddressByte(_ byte: UInt8) -> Bool {
    ASCII.hexDigitValue(byte) != nil || byte == ASCII.colon || byte == 0x2E
  }
}
