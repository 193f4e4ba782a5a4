/// Byte values and classes of RFC 9110 §5.6 and RFC 3986. Sets are bit masks, which need no table in memory.
enum ASCII {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let hash: UInt8 = 0x23
  static let percent: UInt8 = 0x25
  static let asterisk: UInt8 = 0x2A
  static let comma: UInt8 = 0x2C
  static let slash: UInt8 = 0x2F
  static let zero: UInt8 = 0x30
  static let colon: UInt8 = 0x3A
  static let questionMark: UInt8 = 0x3F
  static let openBracket: UInt8 = 0x5B
  static let closeBracket: UInt8 = 0x5D
  static let delete: UInt8 = 0x7F

  /// 128 bits, one per ASCII character.
  struct Set {
    let low: UInt64
    let high: UInt64

    func contains(_ byte: UInt8) -> Bool {
      let word = byte < 64 ? low : high
      return byte < 128 && (word >> UInt64(byte & 63)) & 1 == 1
    }
  }

  /// Digits, letters and ``!#$%&'*+-.^_`|~`` (RFC 9110 §5.6.2).
  static let token = Set(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
  /// Digits, letters and `-._~` (RFC 3986 §2.3).
  static let unreserved = Set(low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)

  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// C0 controls, the tab among them, and DEL.
  static func isControl(_ byte: UInt8) -> Bool { byte < space || byte == delete }

  /// What no part of a head may hold, apart from the line ends: C0 controls but the tab, and DEL.
  static func isForbiddenControl(_ byte: UInt8) -> Bool {
    (byte < space && byte != tab) || byte == delete
  }

  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  /// 0…15, or nil when `byte` is no hexadecimal digit.
  static func hexDigitValue(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte - 0x30 }
    let letter = lowercased(byte)
    return letter &- 0x61 < 6 ? letter - 0x61 + 10 : nil
  }
}
