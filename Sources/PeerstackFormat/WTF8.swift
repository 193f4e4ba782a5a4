/// WTF-8: UTF-8 that can also hold lone surrogates, encoded like other code points of three bytes. A high surrogate
/// that is followed by a low one is always the four bytes of their pair, so equal strings have equal bytes.
enum WTF8 {
  /// The first byte of the three-byte sequences that hold surrogates (and U+D000–D7FF).
  static let surrogateLead: UInt8 = 0xed

  /// Whether `left` comes before `right` in the order of UTF-16 code units, which is JavaScript's order of keys.
  static func precedes(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    let shared = min(left.count, right.count)
    var index = 0
    while index < shared, left[index] == right[index] { index += 1 }
    guard index < shared else { return left.count < right.count }
    // Up to three bytes, both orders are the same unless a surrogate is involved.
    if left[index] < surrogateLead, right[index] < surrogateLead { return left[index] < right[index] }
    while index > 0, left[index] & 0xc0 == 0x80 || right[index] & 0xc0 == 0x80 { index -= 1 }
    return precedesByUnit(left, right, from: index)
  }

  /// Whether both hold the same bytes.
  static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
  }

  private static func precedesByUnit(_ left: Span<UInt8>, _ right: Span<UInt8>, from index: Int) -> Bool {
    var leftUnits = UTF16Reader(index: index)
    var rightUnits = UTF16Reader(index: index)
    while true {
      guard let rightUnit = rightUnits.next(in: right) else { return false }
      guard let leftUnit = leftUnits.next(in: left) else { return true }
      if leftUnit != rightUnit { return leftUnit < rightUnit }
    }
  }

  /// The number of UTF-16 code units.
  static func utf16Count(_ bytes: Span<UInt8>) -> Int {
    var count = 0
    for index in bytes.indices where bytes[index] & 0xc0 != 0x80 { count += bytes[index] >= 0xf0 ? 2 : 1 }
    return count
  }

  /// Appends one code point, which may be a surrogate.
  static func append(_ codePoint: UInt32, to bytes: inout [UInt8]) {
    func continuation(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: codePoint >> shift & 0x3f | 0x80) }
    switch codePoint {
    case ..<0x80:
      bytes.append(UInt8(truncatingIfNeeded: codePoint))
    case ..<0x800:
      bytes.append(UInt8(truncatingIfNeeded: codePoint >> 6 | 0xc0))
      bytes.append(continuation(0))
    case ..<0x10000:
      bytes.append(UInt8(truncatingIfNeeded: codePoint >> 12 | 0xe0))
      bytes.append(continuation(6))
      bytes.append(continuation(0))
    default:
      bytes.append(UInt8(truncatingIfNeeded: codePoint >> 18 | 0xf0))
      bytes.append(continuation(12))
      bytes.append(continuation(6))
      bytes.append(continuation(0))
    }
  }

  /// The bytes of a string of UTF-16 code units.
  static func bytes(of units: some Sequence<UInt16>) -> [UInt8] {
    var bytes: [UInt8] = []
    var pendingHigh: UInt32?
    for unit in units {
      let unit = UInt32(unit)
      if let high = pendingHigh {
        pendingHigh = nil
        if (0xdc00...0xdfff).contains(unit) {
          append(0x10000 + (high - 0xd800) << 10 + (unit - 0xdc00), to: &bytes)
          continue
        }
        append(high, to: &bytes)
      }
      if (0xd800...0xdbff).contains(unit) { pendingHigh = unit } else { append(unit, to: &bytes) }
    }
    if let pendingHigh { append(pendingHigh, to: &bytes) }
    return bytes
  }
}

/// Reads WTF-8 as UTF-16 code units, one at a time.
struct UTF16Reader {
  private var index: Int
  private var pendingLow: UInt16?

  /// Begins at a byte that begins a character.
  init(index: Int = 0) {
    self.index = index
  }

  /// The next code unit; nil at the end.
  mutating func next(in bytes: Span<UInt8>) -> UInt16? {
    if let low = pendingLow {
      pendingLow = nil
      return low
    }
    guard index < bytes.count else { return nil }
    let lead = bytes[index]
    let count = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    var codePoint = count == 1 ? UInt32(lead) : UInt32(lead) & (0x7f >> UInt32(count))
    for offset in 1..<max(count, 1) where index + offset < bytes.count {
      codePoint = codePoint << 6 | UInt32(bytes[index + offset] & 0x3f)
    }
    index += count
    guard codePoint >= 0x10000 else { return UInt16(truncatingIfNeeded: codePoint) }
    pendingLow = UInt16(truncatingIfNeeded: (codePoint - 0x10000) & 0x3ff | 0xdc00)
    return UInt16(truncatingIfNeeded: (codePoint - 0x10000) >> 10 | 0xd800)
  }
}
