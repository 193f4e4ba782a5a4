/// Base64 with padding (RFC 4648 §4).
public enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")
  /// Stands in ``values`` for what is not in the alphabet.
  private static let invalid: UInt8 = 0xff
  /// Bits that no value has.
  private static let notValue: UInt8 = 0xc0

  private static let values: [UInt8] = {
    var values = [UInt8](repeating: invalid, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  /// Four characters per three bytes begun.
  public static func encode(_ bytes: [UInt8]) -> String {
    encode(bytes.span)
  }

  /// Four characters per three bytes begun.
  public static func encode(_ bytes: Bytes32) -> String {
    bytes.withSpan { encode($0) }
  }

  /// Four characters per three bytes begun.
  public static func encode(_ bytes: Span<UInt8>) -> String {
    var characters: [UInt8] = []
    characters.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group = UInt32(bytes[start]) << 16
      if count > 1 { group |= UInt32(bytes[start + 1]) << 8 }
      if count > 2 { group |= UInt32(bytes[start + 2]) }
      for position in 0..<4 {
        let value = Int(group >> (18 - 6 * UInt32(position)) & 63)
        characters.append(position <= count ? alphabet[value] : padding)
      }
    }
    return String(decoding: characters, as: UTF8.self)
  }

  /// The bytes of a canonical text: padded, no other characters, unused bits zero (RFC 4648 §3.5). Nil for anything
  /// else.
  public static func decodeCanonical(_ text: String) -> [UInt8]? {
    decodeCanonical(text.utf8.span)
  }

  /// The bytes of canonical ASCII characters: padded, no others, unused bits zero (RFC 4648 §3.5). Nil for anything
  /// else.
  public static func decodeCanonical(_ characters: [UInt8]) -> [UInt8]? {
    decodeCanonical(characters.span)
  }

  private static func decodeCanonical(_ characters: Span<UInt8>) -> [UInt8]? {
    guard characters.count.isMultiple(of: 4) else { return nil }
    var end = characters.count
    while end > 0, characters.count - end < 2, characters[end - 1] == padding { end -= 1 }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count / 4 * 3)
    let values = values.span
    var position = 0
    while position + 4 <= end {
      let first = values[Int(characters[position])]
      let second = values[Int(characters[position + 1])]
      let third = values[Int(characters[position + 2])]
      let fourth = values[Int(characters[position + 3])]
      guard (first | second | third | fourth) & notValue == 0 else { return nil }
      bytes.append(first << 2 | second >> 4)
      bytes.append(second << 4 | third >> 2)
      bytes.append(third << 6 | fourth)
      position += 4
    }
    // Of the last group two or three characters, or none.
    guard position < end else { return bytes }
    var bits: UInt32 = 0
    for character in position..<end {
      let value = values[Int(characters[character])]
      guard value & notValue == 0 else { return nil }
      bits = bits << 6 | UInt32(value)
    }
    let unused: UInt32 = end - position == 2 ? 4 : 2
    guard bits & (1 << unused - 1) == 0 else { return nil }
    bits >>= unused
    if end - position == 3 { bytes.append(UInt8(truncatingIfNeeded: bits >> 8)) }
    bytes.append(UInt8(truncatingIfNeeded: bits))
    return bytes
  }
}
