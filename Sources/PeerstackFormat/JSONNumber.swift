/// Numbers as ECMAScript reads and writes them.
enum JSONNumber {
  /// Integers up to here are written digit by digit.
  private static let maxPlainMagnitude = Double(1 << 53)
  /// Digits a double always keeps: a decimal of at most so many is what its double is written as.
  static let maxFaithfulDigits = 15

  /// Digits that are certain to fit 64 bits. Fewer than the powers of ten below.
  private static let maxCountedDigits = 18

  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  /// The double nearest to a text that follows JSON's grammar; infinite beyond the range.
  static func value(of text: Span<UInt8>) -> Double {
    if let integer = plainInteger(text) { return Double(integer) }
    if let value = exactValue(of: text) { return value }
    let string = text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    return Double(string) ?? .nan
  }

  /// The integer of nothing but digits that a double surely holds.
  private static func plainInteger(_ text: Span<UInt8>) -> Int64? {
    guard text.count <= maxFaithfulDigits else { return nil }
    var integer: Int64 = 0
    for index in text.indices {
      let digit = text[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      integer = integer &* 10 &+ Int64(digit)
    }
    return integer
  }

  /// The value where one correctly rounded operation gives it: digits and power of ten are both doubles.
  private static func exactValue(of text: Span<UInt8>) -> Double? {
    var digits: UInt64 = 0
    var digitCount = 0
    var exponent = 0
    var hasPoint = false
    for index in text.indices {
      switch text[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits = digits &* 10 &+ UInt64(text[index] - UInt8(ascii: "0"))
        digitCount += 1
        if hasPoint { exponent -= 1 }
      case UInt8(ascii: "."): hasPoint = true
      case UInt8(ascii: "-") where index == 0: continue
      default: return nil
      }
    }
    guard digitCount <= maxCountedDigits, digits <= 1 << 53 else { return nil }
    let magnitude = Double(digits) / powersOfTen[-exponent]
    return text[0] == UInt8(ascii: "-") ? -magnitude : magnitude
  }

  /// Appends what `String(value)` is in JavaScript, but `null` for what is not finite, as `JSON.stringify` does.
  static func append(_ value: Double, to output: inout [UInt8]) {
    guard value.isFinite else { return output.append(contentsOf: "null".utf8) }
    if let integer = integer(value) { return append(integer, to: &output) }
    if value < 0 { output.append(UInt8(ascii: "-")) }
    appendFraction(Decimal(value.magnitude), to: &output)
  }

  /// The integer a double is, if it is one within ±2⁵³. (`Int64(exactly:)` would need the C library for mathematics,
  /// which a program without Foundation does not link.)
  static func integer(_ value: Double) -> Int64? {
    guard value.magnitude <= maxPlainMagnitude else { return nil }
    let integer = Int64(value)
    return Double(integer) == value ? integer : nil
  }

  private static func append(_ value: Int64, to output: inout [UInt8]) {
    if value < 0 { output.append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    let start = output.count
    repeat {
      output.append(UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0"))
      rest /= 10
    } while rest > 0
    output[start...].reverse()
  }

  /// Number::toString of ECMA-262 §6.1.6.1.20, steps 6 to 12.
  private static func appendFraction(_ decimal: Decimal, to output: inout [UInt8]) {
    let zero = UInt8(ascii: "0")
    let count = decimal.count
    let point = decimal.point
    switch point {
    case count...21 where count <= 21:
      decimal.append(0..<count, to: &output)
      output.append(contentsOf: repeatElement(zero, count: point - count))
    case 1...21:
      decimal.append(0..<point, to: &output)
      output.append(UInt8(ascii: "."))
      decimal.append(point..<count, to: &output)
    case -5...0:
      output.append(zero)
      output.append(UInt8(ascii: "."))
      output.append(contentsOf: repeatElement(zero, count: -point))
      decimal.append(0..<count, to: &output)
    default:
      decimal.append(0..<1, to: &output)
      if count > 1 {
        output.append(UInt8(ascii: "."))
        decimal.append(1..<count, to: &output)
      }
      output.append(UInt8(ascii: "e"))
      if point > 0 { output.append(UInt8(ascii: "+")) }
      append(Int64(point - 1), to: &output)
    }
  }

  /// The shortest digits that read back as a positive double: 0.d₁d₂d₃… × 10^point.
  private struct Decimal {
    /// Seventeen digits are always enough; zeros that Swift adds at either end are cut off.
    private static let capacity = 24
    private var digits: InlineArray<24, UInt8> = .init(repeating: 0)
    private(set) var count = 0
    private(set) var point = 0

    /// Swift's description has the shortest digits too, only in another form.
    init(_ value: Double) {
      var hasPoint = false
      var isExponent = false
      var exponent = 0
      var exponentSign = 1
      for character in value.description.utf8 {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
          let digit = character - UInt8(ascii: "0")
          if isExponent { exponent = exponent * 10 + Int(digit) } else { add(digit, afterPoint: hasPoint) }
        case UInt8(ascii: "."): hasPoint = true
        case UInt8(ascii: "e"): isExponent = true
        case UInt8(ascii: "-"): exponentSign = -1
        default: continue
        }
      }
      point += exponent * exponentSign
      while count > 1, digits[count - 1] == 0 { count -= 1 }
    }

    private mutating func add(_ digit: UInt8, afterPoint: Bool) {
      if count == 0, digit == 0 {
        if afterPoint { point -= 1 }
        return
      }
      if !afterPoint { point += 1 }
      guard count < Self.capacity else { return }
      digits[count] = digit
      count += 1
    }

    func append(_ range: Range<Int>, to output: inout [UInt8]) {
      for index in range { output.append(digits[index] + UInt8(ascii: "0")) }
    }
  }
}
