/// Eight bytes at a time: where the first one of a kind stands.
///
/// A byte of the kind borrows from the next, so of the marks only the lowest is sure to be right. It is the first byte, as the
/// first byte is the lowest.
struct ByteWord {
  static let byteCount = 8

  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highs: UInt64 = 0x8080_8080_8080_8080

  private let bits: UInt64

  /// - Parameter position: With all eight bytes inside of `bytes`.
  init(_ bytes: Span<UInt8>, at position: Int) {
    // "Unsafe" is the type alone, and any eight bytes are a number; the bounds are checked.
    bits = UInt64(littleEndian: unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  /// The highest bit of bytes below `limit`, which is at most 0x80.
  private func marks(below limit: UInt8) -> UInt64 { (bits &- Self.ones &* UInt64(limit)) & ~bits }

  private func marks(of byte: UInt8) -> UInt64 {
    let differences = bits ^ (Self.ones &* UInt64(byte))
    return (differences &- Self.ones) & ~differences
  }

  private static func first(_ marks: UInt64) -> Int? {
    let marks = marks & highs
    return marks == 0 ? nil : marks.trailingZeroBitCount / 8
  }

  /// The first byte for which `ASCII.isControl` holds.
  var firstControl: Int? { Self.first(marks(below: ASCII.space) | marks(of: ASCII.delete)) }

  /// The first byte that is no visible ASCII character, or is `#` or `?`.
  var firstInTarget: Int? {
    let beyond = bits | marks(of: ASCII.delete)
    return Self.first(
      marks(below: ASCII.space + 1) | beyond | marks(of: ASCII.hash) | marks(of: ASCII.questionMark))
  }

  /// Whether the bytes are these.
  func isSame(as bytes: StaticString) -> Bool {
    guard bytes.utf8CodeUnitCount == Self.byteCount else { return false }
    // Read through the pointer of a literal of that length.
    let expected = UnsafeRawPointer(bytes.utf8Start).loadUnaligned(as: UInt64.self)
    return bits == UInt64(littleEndian: expected)
  }
}
