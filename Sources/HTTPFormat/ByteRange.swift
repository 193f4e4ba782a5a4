/// Where something stands in a head. Heads are at most `HTTPLimits.largestHeadBytes` long.
struct ByteRange: Hashable, Sendable {
  let start: UInt16
  let end: UInt16

  init(_ start: Int, _ end: Int) {
    self.start = UInt16(start)
    self.end = UInt16(end)
  }

  var indices: Range<Int> { Int(start)..<Int(end) }
  var count: Int { Int(end) - Int(start) }
  var isEmpty: Bool { start == end }
}

/// One field line: its name, and its value without the white space around it.
struct FieldRange: Hashable, Sendable {
  let name: ByteRange
  let value: ByteRange
}

extension Span<UInt8> {
  /// Whether the bytes at `range` are `literal`, which is written in lower case, in any case.
  func equals(_ literal: StaticString, at range: ByteRange, ignoringCase: Bool = true) -> Bool {
    guard range.count == literal.utf8CodeUnitCount else { return false }
    // Read through the pointer of a literal, whose length is that of the range; `self` is read with bounds checks.
    let expected = literal.utf8Start
    for offset in 0..<literal.utf8CodeUnitCount {
      let byte = self[Int(range.start) + offset]
      guard (ignoringCase ? ASCII.lowercased(byte) : byte) == expected[offset] else { return false }
    }
    return true
  }

  /// Whether the bytes at `range` are exactly `expected`.
  func equals(_ expected: Span<UInt8>, at range: Range<Int>) -> Bool {
    guard range.count == expected.count else { return false }
    for offset in 0..<expected.count {
      guard self[range.lowerBound + offset] == expected[offset] else { return false }
    }
    return true
  }
}
