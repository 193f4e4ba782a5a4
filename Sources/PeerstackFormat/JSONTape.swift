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
    /// String: its contents are in `decoded`.
    static let isDecoded = Traits(rawValue: 1)
    /// String: written again it needs an escape.
    static let needsEscapes = Traits(rawValue: 2)
    /// String: holds a lone surrogate.
    static let isIllFormed = Traits(rawValue: 4)
    /// The text of the source is the canonical one, of a container with all that is inside it.
    static let isVerbatim = Traits(rawValue: 8)
    /// Object: the names are in order, and none comes twice.
    static let isSorted = Traits(rawValue: 16)
  }

  struct Node: Sendable {
    var kind: Kind
    var traits: Traits
    /// First byte in the source; of a string that after the quotation mark.
    var start: UInt32
    /// Bytes in the source, without a string's quotation marks. While an object is open: the position of the name that
    /// came last, or 0.
    var length: UInt32
    /// The position after this node and all that is inside it. While a container is open: that of the container around
    /// it.
    var next: UInt32
    /// First byte and number of bytes in `decoded`.
    var decodedStart: UInt32 = 0
    var decodedLength: UInt32 = 0

    static let empty = Node(kind: .null, traits: [], start: 0, length: 0, next: 0)

    /// The first byte of the text in the source, a string's quotation mark included.
    var textStart: Int { Int(start) - (kind == .string ? 1 : 0) }

    /// The byte after the text in the source.
    var textEnd: Int { Int(start) + Int(length) + (kind == .string ? 1 : 0) }

    /// Gives the WTF-8 of a string, or the text of anything else, to `body`.
    @inline(__always)
    func withBytes<Result>(
      _ source: Span<UInt8>, _ decoded: Span<UInt8>, _ body: (Span<UInt8>) -> Result
    ) -> Result {
      if traits.contains(.isDecoded) {
        return body(decoded.extracting(Int(decodedStart)..<Int(decodedStart) + Int(decodedLength)))
      }
      return body(source.extracting(Int(start)..<Int(start) + Int(length)))
    }
  }

  /// What the grammar allows beside JSON itself.
  struct Rules: Sendable {
    var maxBytes: Int
    var maxDepth: Int
    var isStrict: Bool
  }

  /// Room for nodes. The first stands for the whole text, and knows how many follow.
  var nodes: [Node] = []
  /// Contents of strings that had escapes, as WTF-8.
  var decoded: [UInt8] = []
  /// How many numbers are not verbatim.
  var rewrittenNumbers = 0
  /// Memory for looking for names that come twice.
  private var names = JSONNames()

  /// The position after a node and all that is inside it.
  func positionAfter(_ position: Int) -> Int { Int(nodes[position].next) }

  /// Gives the WTF-8 of a string, or the text of anything else, to `body`.
  func withBytes<Result>(at position: Int, in source: Span<UInt8>, _ body: (Span<UInt8>) -> Result) -> Result {
    nodes[position].withBytes(source, decoded.span, body)
  }

  /// Reads one JSON text (RFC 8259, as `JSON.parse` does), without recursion. What the tape held before is gone.
  mutating func parse(_ source: Span<UInt8>, rules: Rules) throws(JSONSyntaxError) {
    decoded.removeAll(keepingCapacity: true)
    guard source.count <= rules.maxBytes else { throw .tooLarge(count: source.count, limit: rules.maxBytes) }
    if nodes.isEmpty { addRoom(source.count / 16 + Self.minAddedRoom) }
    // A node has a byte of its own at least, and a bracket, comma or colon that is no other's.
    let maxRoom = source.count / 2 + Self.minAddedRoom
    var scanner = JSONScanner(rules: rules)
    while try !Self.scan(source, &scanner, &nodes, &decoded, &names) {
      addRoom(max(Self.minAddedRoom, min(nodes.count, maxRoom - nodes.count)))
    }
    rewrittenNumbers = scanner.rewrittenNumbers
    scanner.skipWhitespace(source)
    guard scanner.index == source.count else { throw .trailingContent(offset: scanner.index) }
  }

  private static let minAddedRoom = 16

  private mutating func addRoom(_ count: Int) {
    nodes.append(contentsOf: repeatElement(.empty, count: count))
  }

  private static func scan(
    _ source: Span<UInt8>, _ scanner: inout JSONScanner, _ nodes: inout [Node], _ decoded: inout [UInt8],
    _ names: inout JSONNames
  ) throws(JSONSyntaxError) -> Bool {
    var room = nodes.mutableSpan
    return try scanner.scan(source, &room, &decoded, &names)
  }
}
