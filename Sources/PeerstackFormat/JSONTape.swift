/// JSON that was read into one flat list of nodes: no memory per value, and reusable for the next text.
///
/// Nodes stand in the order of the source; a member is the node of its name followed by those of its value. Positions
/// refer to the source, which the caller keeps.
struct JSONTape: Sendable {
  enum Kind: UInt8, Sendable {
    case null, `true`, `false`, number, string, array, object
  }

  struct Traits: OptionSet, Sendable {
    let rawValue: UInt8
    /// String: the bytes are in `decoded`, not in the source.
    static let isDecoded = Traits(rawValue: 1)
    /// String: written again it needs an escape.
    static let needsEscapes = Traits(rawValue: 2)
    /// String: holds a lone surrogate.
    static let isIllFormed = Traits(rawValue: 4)
    /// Number: the text of the source is the one JavaScript would write.
    static let isVerbatim = Traits(rawValue: 8)
  }

  struct Node: Sendable {
    var kind: Kind
    var traits: Traits
    /// First byte of a string's contents or of a number; the number of children of a container.
    var start: UInt32
    /// Bytes of a string or number; for a container the position of the node after all that is inside.
    var length: UInt32
  }

  /// What the grammar allows beside JSON itself.
  struct Rules: Sendable {
    var maxBytes: Int
    var maxDepth: Int
    var isStrict: Bool
  }

  var nodes: [Node] = []
  /// Contents of strings that had escapes, as WTF-8.
  var decoded: [UInt8] = []
  /// The containers the parser is inside of.
  var openContainers: [Int] = []
  /// Memory for looking for names that come twice.
  var sortedNames: [Int32] = []

  /// Forgets everything but keeps the memory.
  mutating func removeAll() {
    nodes.removeAll(keepingCapacity: true)
    decoded.removeAll(keepingCapacity: true)
    openContainers.removeAll(keepingCapacity: true)
  }

  /// The position after a node and all that is inside it.
  func positionAfter(_ position: Int) -> Int {
    switch nodes[position].kind {
    case .array, .object: Int(nodes[position].length)
    default: position + 1
    }
  }

  /// Gives the WTF-8 of a string, or the text of a number, to `body`.
  func withBytes<Result>(at position: Int, in source: Span<UInt8>, _ body: (Span<UInt8>) -> Result) -> Result {
    let node = nodes[position]
    let range = Int(node.start)..<Int(node.start) + Int(node.length)
    if node.traits.contains(.isDecoded) { return body(decoded.span.extracting(range)) }
    return body(source.extracting(range))
  }

  /// Whether the name at one position comes before that at another, in the order of UTF-16 code units.
  func nameAt(_ left: Int, precedes right: Int, in source: Span<UInt8>) -> Bool {
    withBytes(at: left, in: source) { left in
      withBytes(at: right, in: source) { right in WTF8.precedes(left, right) }
    }
  }

  /// Whether two strings are equal.
  func stringAt(_ left: Int, equals right: Int, in source: Span<UInt8>) -> Bool {
    withBytes(at: left, in: source) { left in
      withBytes(at: right, in: source) { right in WTF8.equal(left, right) }
    }
  }

  /// Appends the positions of an object's names to `names`: sorted, and of equal names the last only.
  func appendSortedNames(of object: Int, in source: Span<UInt8>, to names: inout [Int32]) {
    let start = names.count
    var position = object + 1
    for _ in 0..<nodes[object].start {
      names.append(Int32(truncatingIfNeeded: position))
      position = positionAfter(position + 1)
    }
    sortNames(from: start, in: source, &names)
    removeRepeatedNames(from: start, in: source, &names)
  }

  /// Up to this many names are sorted by insertion, which needs no memory.
  private static let maxInsertedNames = 16

  private func sortNames(from start: Int, in source: Span<UInt8>, _ names: inout [Int32]) {
    guard names.count - start <= Self.maxInsertedNames else {
      // Equal names keep the order of their positions, so that the last is the one in force.
      var slice = Array(names[start...])
      slice.sort { left, right in
        if nameAt(Int(left), precedes: Int(right), in: source) { return true }
        return left < right && stringAt(Int(left), equals: Int(right), in: source)
      }
      names.replaceSubrange(start..., with: slice)
      return
    }
    for unsorted in names.indices[start...].dropFirst() {
      let name = names[unsorted]
      var place = unsorted
      while place > start, nameAt(Int(name), precedes: Int(names[place - 1]), in: source) {
        names[place] = names[place - 1]
        place -= 1
      }
      names[place] = name
    }
  }

  private func removeRepeatedNames(from start: Int, in source: Span<UInt8>, _ names: inout [Int32]) {
    guard names.count > start else { return }
    var kept = start
    for candidate in names.indices[start...].dropFirst() {
      if !stringAt(Int(names[kept]), equals: Int(names[candidate]), in: source) { kept += 1 }
      names[kept] = names[candidate]
    }
    names.removeSubrange((kept + 1)...)
  }
}
