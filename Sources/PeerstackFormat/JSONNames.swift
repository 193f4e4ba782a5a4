/// Names of objects in the order of UTF-16 code units, which is JavaScript's order of keys. Several objects that are
/// inside each other may have theirs here at once, the innermost last.
struct JSONNames: Sendable {
  typealias Node = JSONTape.Node

  private struct Entry: Sendable {
    /// The first eight bytes; zeros for those a name has not.
    var prefix: UInt64
    /// The position of the name's node.
    var position: UInt32
  }

  /// Up to this many names are sorted by insertion.
  private static let maxInserted = 16
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  private var entries: [Entry] = []

  /// How many names there are, of all objects.
  var count: Int { entries.count }

  /// The position of the node of a name.
  subscript(place: Int) -> Int { Int(entries[place].position) }

  /// Forgets the names from a place on.
  mutating func removeAll(from start: Int = 0) {
    entries.removeLast(entries.count - start)
  }

  /// Appends an object's names: sorted, and of equal names the last only. Whether none came twice.
  @discardableResult
  mutating func append(
    namesOf object: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Bool {
    let start = entries.count
    let end = Int(nodes[object].next)
    var position = object + 1
    while position < end {
      let prefix = Self.prefix(of: nodes[position], source, decoded)
      entries.append(Entry(prefix: prefix, position: UInt32(truncatingIfNeeded: position)))
      position = Int(nodes[position + 1].next)
    }
    if entries.count - start <= Self.maxInserted {
      insertionSort(from: start, nodes, source, decoded)
    } else {
      sort(from: start, nodes, source, decoded)
    }
    let count = entries.count
    removeRepeated(from: start, nodes, source, decoded)
    return entries.count == count
  }

  /// Takes a name out, if it is there.
  mutating func remove(_ name: Span<UInt8>, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>) {
    let prefix = Self.prefix(of: name, from: 0, count: name.count)
    let place = entries.firstIndex { entry in
      entry.prefix == prefix
        && nodes[Int(entry.position)].withBytes(source, decoded) { bytes in WTF8.equal(bytes, name) }
    }
    if let place { entries.remove(at: place) }
  }

  /// Whether the name at one position comes before that at another.
  @inline(__always)
  static func name(
    at left: Int, precedes right: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Bool {
    let left = Entry(prefix: prefix(of: nodes[left], source, decoded), position: UInt32(truncatingIfNeeded: left))
    let right = Entry(prefix: prefix(of: nodes[right], source, decoded), position: UInt32(truncatingIfNeeded: right))
    return precedes(left, right, nodes, source, decoded)
  }

  /// The first eight bytes of a name, the first highest; zeros for those that are not there.
  @inline(__always)
  static func prefix(of node: Node, _ source: Span<UInt8>, _ decoded: Span<UInt8>) -> UInt64 {
    if node.traits.contains(.isDecoded) {
      return prefix(of: decoded, from: Int(node.decodedStart), count: Int(node.decodedLength))
    }
    return prefix(of: source, from: Int(node.start), count: Int(node.length))
  }

  /// The first eight of some bytes, the first highest; zeros for those that are not there.
  @inline(__always)
  static func prefix(of bytes: Span<UInt8>, from start: Int, count: Int) -> UInt64 {
    if start + 8 <= bytes.count {
      let word = UInt64(bigEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self))
      return count >= 8 ? word : word & ~(UInt64.max >> (8 &* UInt64(truncatingIfNeeded: count)))
    }
    var prefix: UInt64 = 0
    for offset in 0..<min(8, count) { prefix |= UInt64(bytes[start + offset]) << (56 - 8 * UInt64(offset)) }
    return prefix
  }

  @inline(__always)
  private static func precedes(
    _ left: Entry, _ right: Entry, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Bool {
    // The orders of bytes and of code units are the same where all is ASCII.
    if left.prefix != right.prefix, (left.prefix | right.prefix) & highBits == 0 { return left.prefix < right.prefix }
    return precedesByAll(left, right, nodes, source, decoded)
  }

  @inline(never)
  private static func precedesByAll(
    _ left: Entry, _ right: Entry, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Bool {
    nodes[Int(left.position)].withBytes(source, decoded) { left in
      nodes[Int(right.position)].withBytes(source, decoded) { right in WTF8.precedes(left, right) }
    }
  }

  @inline(__always)
  private static func equal(
    _ left: Entry, _ right: Entry, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Bool {
    left.prefix == right.prefix && equalByAll(left, right, nodes, source, decoded)
  }

  @inline(never)
  private static func equalByAll(
    _ left: Entry, _ right: Entry, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Bool {
    nodes[Int(left.position)].withBytes(source, decoded) { left in
      nodes[Int(right.position)].withBytes(source, decoded) { right in WTF8.equal(left, right) }
    }
  }

  private mutating func insertionSort(
    from start: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) {
    var names = entries.mutableSpan
    var unsorted = start + 1
    while unsorted < names.count {
      let name = names[unsorted]
      var place = unsorted
      while place > start, Self.precedes(name, names[place - 1], nodes, source, decoded) {
        names[place] = names[place - 1]
        place -= 1
      }
      names[place] = name
      unsorted += 1
    }
  }

  private mutating func sort(
    from start: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) {
    entries[start...].sort { left, right in
      if Self.precedes(left, right, nodes, source, decoded) { return true }
      // Equal names keep the order of their positions, so that the last is the one in force.
      return left.position < right.position && Self.equal(left, right, nodes, source, decoded)
    }
  }

  private mutating func removeRepeated(
    from start: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) {
    guard entries.count > start else { return }
    var names = entries.mutableSpan
    var kept = start
    var candidate = start + 1
    while candidate < names.count {
      if !Self.equal(names[kept], names[candidate], nodes, source, decoded) { kept += 1 }
      names[kept] = names[candidate]
      candidate += 1
    }
    if kept + 1 < entries.count { removeAll(from: kept + 1) }
  }
}
