/// Text in memory that is kept for the next text.
struct TextBuffer: Sendable {
  /// Bytes that are copied at once.
  private static let blockCount = 16
  /// Up to so many bytes are copied in blocks, more by the C library.
  private static let maxBlocksCount = 128

  private var room: [UInt8] = []
  /// Bytes of the text.
  private(set) var count = 0

  /// The text.
  var bytes: [UInt8] { Array(room[..<count]) }

  /// Gives the text to `body`.
  func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    body(room.span.extracting(first: count))
  }

  /// Replaces the text by a copy of `text`.
  mutating func replace(by text: Span<UInt8>) {
    replace(maxCount: text.count) { room in
      Self.copyExactly(text, 0..<text.count, to: &room, at: 0)
      return text.count
    }
  }

  /// Forgets the text.
  mutating func removeAll() {
    count = 0
  }

  /// Replaces the text by what `body` writes, which says how many bytes that was, and has room for `maxCount`.
  mutating func replace(maxCount: Int, _ body: (inout MutableSpan<UInt8>) -> Int) {
    let needed = maxCount + Self.blockCount
    if room.count < needed {
      let added = max(needed, room.count + room.count / 2) - room.count
      room.append(contentsOf: repeatElement(0, count: added))
    }
    var span = room.mutableSpan
    count = body(&span)
    precondition(count <= room.count)
  }

  /// Copies some bytes to `target`. Behind them it may write up to 15 more, where there is room.
  @inline(__always)
  static func copy(
    _ source: Span<UInt8>, _ range: Range<Int>, to target: inout MutableSpan<UInt8>, at offset: Int
  ) {
    let blocksCount = (range.count + blockCount - 1) & ~(blockCount - 1)
    guard blocksCount <= maxBlocksCount, range.lowerBound + blocksCount <= source.count,
      offset + blocksCount <= target.count
    else { return copyExactly(source, range, to: &target, at: offset) }
    let sourceBytes = source.bytes
    var targetBytes = target.mutableBytes
    for position in stride(from: 0, to: blocksCount, by: blockCount) {
      let block = sourceBytes.unsafeLoadUnaligned(
        fromByteOffset: range.lowerBound + position, as: SIMD16<UInt8>.self)
      targetBytes.storeBytes(of: block, toByteOffset: offset + position, as: SIMD16<UInt8>.self)
    }
  }

  @inline(never)
  private static func copyExactly(
    _ source: Span<UInt8>, _ range: Range<Int>, to target: inout MutableSpan<UInt8>, at offset: Int
  ) {
    precondition(offset >= 0 && offset + range.count <= target.count)
    source.extracting(range).withUnsafeBytes { source in
      target.withUnsafeMutableBytes { target in
        UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + source.count]).copyMemory(from: source)
      }
    }
  }
}
