import Glibc

/// Whole lines, as they came. Only LF ends a line; the last of the input may lack it.
public struct LineChunk: Sendable {
  /// The place of the first line in the input, from 1.
  public internal(set) var firstLine = 1
  /// How many lines there are.
  public internal(set) var lineCount = 0
  /// Whether the chunk stands for one line that is longer than the limit, and holds nothing of it.
  public internal(set) var isTooLarge = false
  /// The place of the chunk in the input, from 0.
  var ticket = 0

  var bytes: [UInt8] = []
  var count = 0

  /// An empty chunk, to be filled.
  init() {}

  /// Gives each line without its LF, and its number from 1, to `body`.
  public func forEachLine(_ body: (_ line: Span<UInt8>, _ number: Int) -> Void) {
    let span = bytes.span
    var start = 0
    var number = firstLine
    while start < count {
      let end = Self.firstLF(in: span.extracting(start..<count)).map { start + $0 } ?? count
      body(span.extracting(start..<end), number)
      start = end + 1
      number += 1
    }
  }

  /// Where the first LF is.
  static func firstLF(in span: Span<UInt8>) -> Int? {
    span.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, let found = memchr(base, Int32(UInt8(ascii: "\n")), bytes.count) else {
        return nil
      }
      return UnsafeRawPointer(found) - base
    }
  }

  /// Where the last LF is.
  static func lastLF(in span: Span<UInt8>) -> Int? {
    span.indices.last { span[$0] == UInt8(ascii: "\n") }
  }
}
