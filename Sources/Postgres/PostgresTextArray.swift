/// A `text[]` that is put together in Postgres' binary format, for elements that are bytes and not strings.
public struct PostgresTextArray: Sendable, Hashable {
  /// The elements, each behind its length.
  private(set) var elements: [UInt8] = []
  /// How many elements there are.
  public private(set) var count = 0

  /// An empty array.
  ///
  /// - Parameter capacity: Bytes to make room for: those of the elements, and four more for each.
  public init(capacity: Int = 0) { elements.reserveCapacity(capacity) }

  /// Appends an element.
  ///
  /// - Parameter write: Appends the UTF-8 of the element, and does nothing else.
  public mutating func append(_ write: (inout [UInt8]) -> Void) {
    let start = elements.count + MemoryLayout<Int32>.size
    elements.append(contentsOf: repeatElement(0, count: MemoryLayout<Int32>.size))
    write(&elements)
    precondition(elements.count >= start, "an element took others away")
    // The parameters of a statement together are held to far less than what a length can say.
    let length = UInt32(truncatingIfNeeded: elements.count - start).bigEndian
    elements.withUnsafeMutableBytes {
      $0.storeBytes(of: length, toByteOffset: start - MemoryLayout<Int32>.size, as: UInt32.self)
    }
    count += 1
  }
}
