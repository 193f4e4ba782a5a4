/// Base 32 without padding (RFC 4648 §6): all of its characters are cheap in QR codes, and case does not matter.
enum Base32 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

  /// Characters of so many bytes.
  static func count(ofBytes bytes: Int) -> Int { (bytes * 8 + 4) / 5 }

  /// Upper-case characters.
  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var characters: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      bitCount += 8
      while bitCount >= 5 {
        bitCount -= 5
        characters.append(alphabet[Int(bits >> bitCount & 31)])
      }
      bits &= 1 << bitCount - 1
    }
    if bitCount > 0 { characters.append(alphabet[Int(bits << (5 - bitCount) & 31)]) }
    return String(decoding: characters, as: UTF8.self)
  }

  /// The bytes of characters of either case; nil for others, for a length that cannot be, and for unused bits that are
  /// not zero.
  static func decode(_ characters: some Collection<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count * 5 / 8)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for character in characters {
      guard let value = value(character) else { return nil }
      bits = bits << 5 | value
      bitCount += 5
      guard bitCount >= 8 else { continue }
      bitCount -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
      bits &= 1 << bitCount - 1
    }
    // More than four unused bits are a character too many.
    return bits == 0 && bitCount < 5 ? bytes : nil
  }

  private static func value(_ character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a"))
    case UInt8(ascii: "2")...UInt8(ascii: "7"): UInt32(character - UInt8(ascii: "2")) + 26
    default: nil
    }
  }
}
