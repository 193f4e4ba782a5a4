/// Walks the elements of a comma-separated field value (RFC 9110 §5.6.1). Empty elements are passed over.
struct ListElements {
  private var position: Int
  private let end: Int

  init(_ value: ByteRange) {
    position = Int(value.start)
    end = Int(value.end)
  }

  /// The next element, without the white space around it.
  mutating func next(_ bytes: Span<UInt8>) -> ByteRange? {
    while position < end {
      var start = position
      while position < end, bytes[position] != ASCII.comma { position += 1 }
      var stop = position
      position += 1
      while start < stop, ASCII.isBlank(bytes[start]) { start += 1 }
      while stop > start, ASCII.isBlank(bytes[stop - 1]) { stop -= 1 }
      if start < stop { return ByteRange(start, stop) }
    }
    return nil
  }
}
