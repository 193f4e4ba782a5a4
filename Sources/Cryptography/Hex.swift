/// Hexadecimal in lower case: peerstack and the protocol write no other.
public enum Hex {
  /// Two characters per byte.
  public static func encode(_ bytes: [UInt8]) -> String {
    var characters: [UInt8] = []
    characters.reserveCapacity(bytes.count * 2)
    append(bytes.span, to: &characters)
    return String(decoding: characters, as: UTF8.self)
  }

  /// Appends two ASCII characters per byte to `characters`.
  public static func append(_ bytes: Span<UInt8>, to characters: inout [UInt8]) {
    var place = characters.count
    characters.append(contentsOf: repeatElement(0, count: 2 * bytes.count))
    var output = characters.mutableSpan
    for index in bytes.indices {
      output[place] = digit(bytes[index] >> 4)
      output[place + 1] = digit(bytes[index] & 15)
      place += 2
    }
  }

  /// Appends 64 ASCII characters to `characters`.
  public static func append(_ bytes: Bytes32, to characters: inout [UInt8]) {
    let words = InlineArray<8, UInt64> { index in
      digits(bytes.withSpan { unsafe $0.bytes.unsafeLoadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) })
    }
    words.span.withUnsafeBytes { characters.append(contentsOf: $0) }
  }

  /// The eight digits of four bytes, each as they lie in memory: all eight at a time.
  private static func digits(_ bytes: UInt32) -> UInt64 {
    var spread = UInt64(UInt32(littleEndian: bytes))
    spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
    spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
    let values = (spread >> 4 | spread << 8) & 0x0F0F_0F0F_0F0F_0F0F
    // 6 more than a value has a fifth bit where its digit is a letter.
    let letters = (values &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    let zeros = 0x3030_3030_3030_3030 as UInt64
    return (values &+ zeros &+ letters &* 0x27).littleEndian
  }

  /// Whether an ASCII character is a hexadecimal digit of either case.
  public static func isDigit(_ character: UInt8) -> Bool {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }

  /// The bytes of a text of lower-case pairs; nil for anything else.
  public static func decode(_ text: String) -> [UInt8]? {
    decode(Array(text.utf8))
  }

  /// The bytes of ASCII characters in lower-case pairs; nil for anything else.
  public static func decode(_ characters: [UInt8]) -> [UInt8]? {
    guard characters.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count / 2)
    for index in stride(from: 0, to: characters.count, by: 2) {
      guard let high = value(characters[index]), let low = value(characters[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? value + UInt8(ascii: "0") : value - 10 + UInt8(ascii: "a")
  }

  private static func value(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
