extension JSONTape.Node {
  /// A node of a part of the source.
  @inline(__always)
  init(kind: JSONTape.Kind, traits: JSONTape.Traits, _ range: Range<Int>) {
    self.init(
      kind: kind, traits: traits, start: UInt32(truncatingIfNeeded: range.lowerBound),
      length: UInt32(truncatingIfNeeded: range.upperBound - range.lowerBound), next: 0)
  }

  /// A string without escapes.
  @inline(__always)
  init(plainString range: Range<Int>) {
    self.init(kind: .string, traits: .isVerbatim, range)
  }
}

/// The tokens.
extension JSONScanner {
  // MARK: Literals

  @inline(__always)
  mutating func readLiteral(
    _ text: StaticString, _ kind: JSONTape.Kind, _ source: Span<UInt8>
  ) throws(JSONSyntaxError) -> Node {
    let start = index
    let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for expected in bytes {
      let byte = try peek(source)
      guard byte == expected else { throw .unexpectedByte(byte, offset: index) }
      index += 1
    }
    return Node(kind: kind, traits: .isVerbatim, start..<index)
  }

  // MARK: Numbers

  /// Reads a number that begins here with a minus sign or a digit.
  @inline(__always)
  mutating func readNumber(_ source: Span<UInt8>) throws(JSONSyntaxError) -> Node {
    // Nearly all are integers that are written as they stand.
    var end = index
    if source[end] == UInt8(ascii: "-") { end += 1 }
    let firstDigit = end
    while end < source.count, source[end] &- UInt8(ascii: "0") < 10 { end += 1 }
    guard end < source.count, 1...JSONNumber.maxFaithfulDigits ~= end - firstDigit,
      source[firstDigit] != UInt8(ascii: "0"), source[end] != UInt8(ascii: "."), source[end] | 0x20 != UInt8(ascii: "e")
    else { return try readUnusualNumber(source) }
    defer { index = end }
    return Node(kind: .number, traits: .isVerbatim, index..<end)
  }

  @inline(never)
  private mutating func readUnusualNumber(_ source: Span<UInt8>) throws(JSONSyntaxError) -> Node {
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
    let isVerbatim = isFaithful && isShortest
    if !isVerbatim { rewrittenNumbers += 1 }
    return Node(kind: .number, traits: isVerbatim ? .isVerbatim : [], start..<index)
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

  /// Goes on in a string that began at `start`, where a byte is not plain.
  @inline(never)
  mutating func readUnusualString(
    _ source: Span<UInt8>, start: Int, decoded: inout [UInt8]
  ) throws(JSONSyntaxError) -> Node {
    while true {
      let byte = try peek(source)
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        return Node(plainString: start..<index - 1)
      case UInt8(ascii: "\\"):
        return try readEscapedString(source, start: start, decoded: &decoded)
      case ..<0x20: throw .controlCharacter(offset: index)
      case 0x80...: try skipMultibyte(source)
      default: index = Self.plainEnd(source, from: index)
      }
    }
  }

  /// The first byte from `start` on that is not ASCII that means itself.
  @inline(__always)
  static func plainEnd(_ source: Span<UInt8>, from start: Int) -> Int {
    var index = start
    let bytes = source.bytes
    let ones: UInt64 = 0x0101_0101_0101_0101
    while index &+ 8 <= source.count {
      let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      // The high bit of the first byte that is special is set, and none before it: a difference has it where the byte
      // was too small, and behind that.
      let special =
        (word | (word &- ones &* 0x20) | ((word ^ ones &* 0x22) &- ones) | ((word ^ ones &* 0x5c) &- ones))
        & (ones &* 0x80)
      if special != 0 { return index &+ special.trailingZeroBitCount / 8 }
      index &+= 8
    }
    while index < source.count, source[index] >= 0x20, source[index] < 0x80, source[index] != UInt8(ascii: "\""),
      source[index] != UInt8(ascii: "\\")
    {
      index += 1
    }
    return index
  }

  /// Skips characters of two to four bytes (Unicode 16, table 3-7).
  @inline(__always)
  private mutating func skipMultibyte(_ source: Span<UInt8>) throws(JSONSyntaxError) {
    while index < source.count, source[index] >= 0x80 {
      let lead = source[index]
      // Of three and four bytes, some leads do not go with every second byte.
      let count = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
      guard 0xc2...0xf4 ~= lead, index + count <= source.count, source[index + 1] & 0xc0 == 0x80 else {
        throw .invalidUTF8(offset: index)
      }
      if count > 2 {
        guard Self.isSecond(source[index + 1], of: lead), source[index + 2] & 0xc0 == 0x80,
          source[index + count - 1] & 0xc0 == 0x80
        else { throw .invalidUTF8(offset: index) }
      }
      index += count
    }
  }

  @inline(__always)
  private static func isSecond(_ byte: UInt8, of lead: UInt8) -> Bool {
    switch lead {
    case 0xe0: byte >= 0xa0
    case 0xed: byte < 0xa0
    case 0xf0: byte >= 0x90
    case 0xf4: byte < 0x90
    default: true
    }
  }

  // MARK: Escapes

  /// Goes on at the first backslash of a string that began at `start`.
  private mutating func readEscapedString(
    _ source: Span<UInt8>, start: Int, decoded: inout [UInt8]
  ) throws(JSONSyntaxError) -> Node {
    let decodedStart = decoded.count
    var traits: JSONTape.Traits = [.isDecoded, .isVerbatim]
    var copied = start
    while true {
      let byte = try peek(source)
      switch byte {
      case UInt8(ascii: "\""):
        Self.copy(source, copied..<index, to: &decoded)
        index += 1
        var node = Node(kind: .string, traits: traits, start..<index - 1)
        node.decodedStart = UInt32(truncatingIfNeeded: decodedStart)
        node.decodedLength = UInt32(truncatingIfNeeded: decoded.count - decodedStart)
        return node
      case UInt8(ascii: "\\"):
        Self.copy(source, copied..<index, to: &decoded)
        let escape = try readEscape(source, to: &decoded)
        if !escape.contains(.isVerbatim) { traits.remove(.isVerbatim) }
        traits.formUnion(escape.subtracting(.isVerbatim))
        copied = index
      case ..<0x20: throw .controlCharacter(offset: index)
      case 0x80...: try skipMultibyte(source)
      default: index = Self.plainEnd(source, from: index)
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
    return byte == UInt8(ascii: "/") ? [] : [.needsEscapes, .isVerbatim]
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
      return Self.isLowerCase(source, start..<index)
        ? [.needsEscapes, .isIllFormed, .isVerbatim] : [.needsEscapes, .isIllFormed]
    }
    switch codePoint {
    case 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x22, 0x5c: return .needsEscapes
    case ..<0x20: return Self.isLowerCase(source, start..<index) ? [.needsEscapes, .isVerbatim] : .needsEscapes
    default: return []
    }
  }

  private static func isLowerCase(_ source: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.allSatisfy { !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains(source[$0]) }
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
