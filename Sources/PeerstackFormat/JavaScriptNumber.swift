/// What JavaScript's `parseInt` makes of a text.
enum JavaScriptNumber {
  /// `parseInt(text, radix)` for a few characters: white space and a sign may come first, and reading stops at the
  /// first character that is no digit. Nil for NaN. Exact while the result stays below 2⁵³.
  static func parsedInteger(_ units: [UInt16], radix: Int) -> Double? {
    var rest = units[...].drop(while: isWhitespace)
    var sign = 1.0
    if let first = rest.first, first == UInt16(UInt8(ascii: "-")) || first == UInt16(UInt8(ascii: "+")) {
      if first == UInt16(UInt8(ascii: "-")) { sign = -1 }
      rest = rest.dropFirst()
    }
    let digits = rest.prefix { digit($0, radix: radix) != nil }
    guard !digits.isEmpty else { return nil }
    return sign * digits.reduce(0.0) { $0 * Double(radix) + Double(digit($1, radix: radix) ?? 0) }
  }

  /// The value of a digit, a letter of either case included; nil if it is none of this radix.
  static func digit(_ unit: UInt16, radix: Int) -> Int? {
    guard let ascii = UInt8(exactly: unit) else { return nil }
    let value: Int
    switch ascii {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(ascii - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(ascii - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(ascii - UInt8(ascii: "A")) + 10
    default: return nil
    }
    return value < radix ? value : nil
  }

  /// WhiteSpace and LineTerminator of ECMA-262 §12.2 and §12.3.
  static func isWhitespace(_ unit: UInt16) -> Bool {
    switch unit {
    case 0x09...0x0d, 0x20, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff: true
    default: false
    }
  }
}
