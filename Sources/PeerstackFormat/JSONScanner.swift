/// The tokens of JSON, read from bytes that stay where they are.
struct JSONScanner {
  typealias Node = JSONTape.Node

  let rules: JSONTape.Rules
  /// The next byte to read.
  var index = 0

  init(rules: JSONTape.Rules) {
    self.rules = rules
  }

  @inline(__always)
  func peek(_ source: Span<UInt8>) throws(JSONSyntaxError) -> UInt8 {
    guard index < source.count else { throw .unexpectedEnd(offset: index) }
    return source[index]
  }

  @inline(__always)
  mutating func skipWhitespace(_ source: Span<UInt8>) {
    while index < source.count {
      switch source[index] {
      case 0x20, 0x0a, 0x0d, 0x09: index += 1
      default: return
      }
    }
  }

  mutating func expect(_ text: StaticString, _ source: Span<UInt8>) throws(JSONSyntaxError) {
    let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for expected in bytes {
      let byte = try peek(source)
      guard byte == expected else { throw .unexpectedByte(byte, offset: index) }
      index += 1
    }
  }

  // MARK: Numbers

  /// Reads a number that begins here with a minus sign or a digit.
  mutating func readNumber(_ source: Span<UInt8>) throws(JSONSyntaxError) -> Node {
    let start = index
    if source[index] == UInt8(ascii: "-") { index += 1 }
    let firstDigit = index
    let integerCount = try readDigits(source)
    if integerCount > 1, source[firstDigit] == UInt8(ascii: "0") { throw .invalidNumber(offset: firstDigit) }
    var fractionCount = 0
    var hasExponent = false
    if index < source.count, source[index] == UInt8(ascii: ".") {
      index += 1
      fractionCount = try readDigits(source)
    }
    if index < source.count, source[index] | 0x20 == UInt8(ascii: "e") {
      index += 1
      hasExponent = true
      if index < source.count, source[index] == UInt8(ascii: "+") || source[index] == UInt8(ascii: "-") { index += 1 }
      _ = try readDigits(source)
    }
    let isZero = integerCount == 1 && source[firstDigit] == UInt8(ascii: "0")
    let isPlain = fractionCount == 0 && !hasExponent && !(isZero && firstDigit > start)
    if rules.isStrict { try checkInteger(source, start: start, firstDigit: firstDigit, isPlain: isPlain) }
    let isFaithful = integerCount + fractionCount <= JSONNumber.maxFaithfulDigits && !hasExponent
    let isShortest = fractionCount == 0 ? isPlain : isShortestFraction(source, firstDigit: firstDigit, isZero: isZero)
    return Node(
      kind: .number, traits: isFaithful && isShortest ? .isVerbatim : [],
      start: UInt32(truncatingIfNeeded: start), length: UInt32(truncatingIfNeeded: index - start))
  }

  private mutating func readDigits(_ source: Span<UInt8>) throws(JSONSyntaxError) -> Int {
    let start = index
    while index < source.count, source[index] &- UInt8(ascii: "0") < 10 { index += 1 }
    guard index > start else {
      guard index < source.count else { throw .unexpectedEnd(offset: index) }
      throw .invalidNumber(offset: index)
    }
    return index - start
  }

  /// Whether a number with a fraction and without an exponent is written as JavaScript would: no zero at the end,
  /// and not so small (below 10⁻⁶) that an exponent is due.
  private func isShortestFraction(_ source: Span<UInt8>, firstDigit: Int, isZero: Bool) -> Bool {
    guard source[index - 1] != UInt8(ascii: "0") else { return false }
    guard isZero else { return true }
    let maxZeros = 5
    for position in firstDigit + 2..<min(index, firstDigit + 3 + maxZeros)
    where source[position] != UInt8(ascii: "0") {
      return true
    }
    return false
  }

  private func checkInteger(
    _ source: Span<UInt8>, start: Int, firstDigit: Int, isPlain: Bool
  ) throws(JSONSyntaxError) {
    // 2⁵³ − 1 has 16 digits.
    guard isPlain, index - firstDigit <= 16 else { throw .notAnInteger(offset: start) }
    var magnitude: Int64 = 0
    for position in firstDigit..<index { magnitude = magnitude * 10 + Int64(source[position] - UInt8(ascii: "0")) }
    guard magnitude <= JSONValue.maxSafeInteger else { throw .notAnInteger(offset: start) }
  }

  // MARK: Strings

  /// Reads a string that begins here with its quotation mark.
  mutating func readString(_ source: Span<UInt8>, decoded: inout [UInt8]) throws(JSONSyntaxError) -> Node {
    let start = index + 1
    index = start
    while true {
      skipPlain(source)
      let byte = try peek(source)
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        return Node(
          kind: .string, traits: [], start: UInt32(truncatingIfNeeded: start),
          length: UInt32(truncatingIfNeeded: index - 1 - start))
      case UInt8(ascii: "\\"):
        return try readEscapedString(source, start: start, decoded: &decoded)
      case ..<0x20: throw .controlCharacter(offset: index)
      default: try skipMultibyte(source)
      }
    }
  }

  /// Skips ASCII that means itself, eight bytes at a time.
  @inline(__always)
  private mutating func skipPlain(_ source: Span<UInt8>) {
    let highs: UInt64 = 0x8080_8080_8080_8080
    let ones: UInt64 = 0x0101_0101_0101_0101
    let bytes = source.bytes
    while index + 8 <= source.count {
      let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      let quotes = word ^ (ones &* 0x22)
      let backslashes = word ^ (ones &* 0x5c)
      let special =
        (word | (word &- ones &* 0x20) | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes) & highs
      guard special == 0 else {
        index += special.trailingZeroBitCount >> 3
        return
      }
      index += 8
    }
    while index < source.count, source[index] >= 0x20, source[index] < 0x80, source[index] != UInt8(ascii: "\""),
      source[index] != UInt8(ascii: "\\")
    {
      index += 1
    }
  }

  /// Skips one character of two to four bytes (Unicode 16, table 3-7).
  private mutating func skipMultibyte(_ source: Span<UInt8>) throws(JSONSyntaxError) {
    let lead = source[index]
    let count: Int
    var second: ClosedRange<UInt8> = 0x80...0xbf
    switch lead {
    case 0xc2...0xdf: count = 2
    case 0xe0: (count, second) = (3, 0xa0...0xbf)
    case 0xed: (count, second) = (3, 0x80...0x9f)
    case 0xe1...0xef: count = 3
    case 0xf0: (count, second) = (4, 0x90...0xbf)
    case 0xf1...0xf3: count = 4
    case 0xf4: (count, second) = (4, 0x80...0x8f)
    default: throw .invalidUTF8(offset: index)
    }
    guard index + count <= source.count, second.contains(source[index + 1]) else { throw .invalidUTF8(offset: index) }
    for position in index + 2..<max(index + count, index + 2) where source[position] & 0xc0 != 0x80 {
      throw .invalidUTF8(offset: index)
    }
    index += count
  }

  // MARK: Escapes

  /// Goes on at the first backslash of a string that began at `start`.
  private mutating func readEscapedString(
    _ source: Span<UInt8>, start: Int, decoded: inout [UInt8]
  ) throws(JSONSyntaxError) -> Node {
    let decodedStart = decoded.count
    var traits: JSONTape.Traits = .isDecoded
    var copied = start
    while true {
      skipPlain(source)
      let byte = try peek(source)
      switch byte {
      case UInt8(ascii: "\""):
        Self.copy(source, copied..<index, to: &decoded)
        index += 1
        return Node(
          kind: .string, traits: traits, start: UInt32(truncatingIfNeeded: decodedStart),
          length: UInt32(truncatingIfNeeded: decoded.count - decodedStart))
      case UInt8(ascii: "\\"):
        Self.copy(source, copied..<index, to: &decoded)
        traits.formUnion(try readEscape(source, to: &decoded))
        copied = index
      case ..<0x20: throw .controlCharacter(offset: index)
      default: try skipMultibyte(source)
      }
    }
  }

  private static func copy(_ source: Span<UInt8>, _ range: Range<Int>, to bytes: inout [UInt8]) {
    source.extracting(range).withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
  }

  /// Reads one escape, and the second half of a pair with the first. Says what it means for the whole string.
  private mutating func readEscape(
    _ source: Span<UInt8>, to bytes: inout [UInt8]
  ) throws(JSONSyntaxError) -> JSONTape.Traits {
    let start = index
    index += 1
    let letter = try peek(source)
    guard letter != UInt8(ascii: "u") else { return try readUnicodeEscape(source, to: &bytes) }
    guard let byte = Self.byte(ofEscape: letter) else { throw .invalidEscape(offset: start) }
    index += 1
    bytes.append(byte)
    return byte == UInt8(ascii: "/") ? [] : .needsEscapes
  }

  private static func byte(ofEscape letter: UInt8) -> UInt8? {
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0c
    case UInt8(ascii: "n"): 0x0a
    case UInt8(ascii: "r"): 0x0d
    case UInt8(ascii: "t"): 0x09
    default: nil
    }
  }

  private mutating func readUnicodeEscape(
    _ source: Span<UInt8>, to bytes: inout [UInt8]
  ) throws(JSONSyntaxError) -> JSONTape.Traits {
    let start = index - 1
    var codePoint = try readUnit(source, escapeStart: start)
    if (0xd800...0xdbff).contains(codePoint), index + 6 <= source.count,
      source[index] == UInt8(ascii: "\\"), source[index + 1] == UInt8(ascii: "u")
    {
      let afterHigh = index
      index += 1
      let low = try readUnit(source, escapeStart: afterHigh)
      if (0xdc00...0xdfff).contains(low) {
        codePoint = 0x10000 + (codePoint - 0xd800) << 10 + (low - 0xdc00)
      } else {
        // The second escape is read again on its own: it may be the first half of another pair.
        index = afterHigh
      }
    }
    WTF8.append(codePoint, to: &bytes)
    if (0xd800...0xdfff).contains(codePoint) {
      guard !rules.isStrict else { throw .loneSurrogate(offset: start) }
      return [.needsEscapes, .isIllFormed]
    }
    let needsEscapes = codePoint < 0x20 || codePoint == 0x22 || codePoint == 0x5c
    return needsEscapes ? .needsEscapes : []
  }

  /// Reads `u` and four hex digits.
  private mutating func readUnit(_ source: Span<UInt8>, escapeStart: Int) throws(JSONSyntaxError) -> UInt32 {
    index += 1
    var unit: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch try peek(source) {
      case let byte where byte &- UInt8(ascii: "0") < 10: digit = byte - UInt8(ascii: "0")
      case let byte where (byte | 0x20) &- UInt8(ascii: "a") < 6: digit = (byte | 0x20) - UInt8(ascii: "a") + 10
      default: throw .invalidEscape(offset: escapeStart)
      }
      unit = unit << 4 | UInt32(digit)
      index += 1
    }
    return unit
  }
}
