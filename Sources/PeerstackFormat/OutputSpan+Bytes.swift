extension OutputSpan<UInt8> {
  /// Appends bytes, for which there must be room.
  package mutating func append(copying bytes: Span<UInt8>) {
    precondition(bytes.count <= freeCapacity, "there is no room for the bytes")
    bytes.withUnsafeBufferPointer { bytes in
      guard let source = bytes.baseAddress else { return }
      withUnsafeMutableBufferPointer { buffer, count in
        // Within the room that was checked above.
        if let start = buffer.baseAddress { (start + count).update(from: source, count: bytes.count) }
        count += bytes.count
      }
    }
  }
}
