/// Reads JSON into nodes, from bytes that stay where they are.
struct JSONScanner {
  typealias Node = JSONTape.Node

  private static let noContainer = UInt32.max

  let rules: JSONTape.Rules
  /// The next byte to read.
  var index = 0
  /// How many numbers are not written again as they stand.
  var rewrittenNumbers = 0
  /// Nodes so far.
  private var count = 0
  /// The position of the innermost container that is open.
  private var container = noContainer
  /// How many containers are open.
  private var depth = 0

  init(rules: JSONTape.Rules) {
    self.rules = rules
  }

  /// Reads one value into `nodes`. False if they do not suffice: called again with the same and more behind them, it goes
  /// on.
  mutating func scan(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: inout [UInt8], _ names: inout JSONNames
  ) throws(JSONSyntaxError) -> Bool {
    repeat {
      // A value, and the name of the next.
      guard count + 2 <= nodes.count else { return false }
      try readValueStart(source, &nodes, &decoded)
    } while try !finishValue(source, &nodes, &decoded, &names)
    return true
  }

  // MARK: Bytes between tokens

  /// The byte that a token begins with.
  @inline(__always)
  private mutating func nextByte(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>
  ) throws(JSONSyntaxError) -> UInt8 {
    if index < source.count {
      let byte = source[index]
      if byte > 0x20 { return byte }
    }
    return try nextByteAfterWhitespace(source, &nodes)
  }

  @inline(never)
  private mutating func nextByteAfterWhitespace(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>
  ) throws(JSONSyntaxError) -> UInt8 {
    let start = index
    skipWhitespace(source)
    if index > start { forgetVerbatim(&nodes) }
    return try peek(source)
  }

  /// The innermost container is not to be written as it stands.
  @inline(__always)
  private func forgetVerbatim(_ nodes: inout MutableSpan<Node>) {
    if container != Self.noContainer { nodes[Int(container)].traits.remove(.isVerbatim) }
  }

  func peek(_ source: Span<UInt8>) throws(JSONSyntaxError) -> UInt8 {
    guard index < source.count else { throw .unexpectedEnd(offset: index) }
    return source[index]
  }

  mutating func skipWhitespace(_ source: Span<UInt8>) {
    while index < source.count {
      switch source[index] {
      case 0x20, 0x0a, 0x0d, 0x09: index += 1
      default: return
      }
    }
  }

  // MARK: Values

  /// Reads a scalar whole, or opens a container.
  @inline(__always)
  private mutating func readValueStart(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: inout [UInt8]
  ) throws(JSONSyntaxError) {
    switch try nextByte(source, &nodes) {
    case UInt8(ascii: "\""): try readString(source, &nodes, &decoded)
    case UInt8(ascii: "{"): try open(.object, &nodes)
    case UInt8(ascii: "["): try open(.array, &nodes)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try append(readNumber(source), &nodes)
    case UInt8(ascii: "t"): try append(readLiteral("true", .true, source), &nodes)
    case UInt8(ascii: "f"): try append(readLiteral("false", .false, source), &nodes)
    case UInt8(ascii: "n"): try append(readLiteral("null", .null, source), &nodes)
    case let byte: throw .unexpectedByte(byte, offset: index)
    }
  }

  /// Goes on after a complete value, or after the opening of a container, to the place where the next value begins.
  /// True when the outermost value is complete.
  @inline(__always)
  private mutating func finishValue(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: inout [UInt8], _ names: inout JSONNames
  ) throws(JSONSyntaxError) -> Bool {
    while container != Self.noContainer {
      let isObject = nodes[Int(container)].kind == .object
      let isFresh = Int(container) == count - 1
      let byte = try nextByte(source, &nodes)
      if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
        index += 1
        try close(source, &nodes, decoded.span, &names)
        continue
      }
      if !isFresh {
        guard byte == UInt8(ascii: ",") else { throw .unexpectedByte(byte, offset: index) }
        index += 1
      }
      if isObject { try readName(source, &nodes, &decoded) }
      return false
    }
    return true
  }

  @inline(__always)
  private mutating func append(_ node: Node, _ nodes: inout MutableSpan<Node>) {
    var node = node
    node.next = UInt32(truncatingIfNeeded: count + 1)
    nodes[count] = node
    count += 1
    if !node.traits.contains(.isVerbatim) { forgetVerbatim(&nodes) }
  }

  @inline(__always)
  private mutating func readString(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: inout [UInt8]
  ) throws(JSONSyntaxError) {
    let start = index + 1
    index = Self.plainEnd(source, from: start)
    if index < source.count, source[index] == UInt8(ascii: "\"") {
      append(Node(plainString: start..<index), &nodes)
      index += 1
    } else {
      append(try readUnusualString(source, start: start, decoded: &decoded), &nodes)
    }
  }

  private mutating func open(_ kind: JSONTape.Kind, _ nodes: inout MutableSpan<Node>) throws(JSONSyntaxError) {
    guard depth < rules.maxDepth else { throw .tooDeep(offset: index, limit: rules.maxDepth) }
    nodes[count] = Node(
      kind: kind, traits: [.isVerbatim, .isSorted], start: UInt32(truncatingIfNeeded: index), length: 0, next: container
    )
    container = UInt32(truncatingIfNeeded: count)
    count += 1
    depth += 1
    index += 1
  }

  @inline(__always)
  private mutating func close(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: Span<UInt8>, _ names: inout JSONNames
  ) throws(JSONSyntaxError) {
    let position = Int(container)
    let node = nodes[position]
    nodes[position].length = UInt32(truncatingIfNeeded: index) - node.start
    nodes[position].next = UInt32(truncatingIfNeeded: count)
    if rules.isStrict, !node.traits.contains(.isSorted) {
      names.removeAll()
      let isUnique = names.append(namesOf: position, nodes.span, source, decoded)
      guard isUnique else { throw .duplicateName(offset: index - 1) }
    }
    container = node.next
    depth -= 1
    if !node.traits.contains(.isVerbatim) { forgetVerbatim(&nodes) }
  }

  @inline(__always)
  private mutating func readName(
    _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: inout [UInt8]
  ) throws(JSONSyntaxError) {
    let byte = try nextByte(source, &nodes)
    guard byte == UInt8(ascii: "\"") else { throw .unexpectedByte(byte, offset: index) }
    try readString(source, &nodes, &decoded)
    if nodes[Int(container)].traits.contains(.isSorted) {
      Self.noteOrder(of: count - 1, in: Int(container), source, &nodes, decoded.span)
    }
    let separator = try nextByte(source, &nodes)
    guard separator == UInt8(ascii: ":") else { throw .unexpectedByte(separator, offset: index) }
    index += 1
  }

  /// Compares a name with the one before in its object.
  private static func noteOrder(
    of name: Int, in object: Int, _ source: Span<UInt8>, _ nodes: inout MutableSpan<Node>, _ decoded: Span<UInt8>
  ) {
    let last = Int(nodes[object].length)
    nodes[object].length = UInt32(truncatingIfNeeded: name)
    if last > 0, !JSONNames.name(at: last, precedes: name, nodes.span, source, decoded) {
      nodes[object].traits.subtract([.isSorted, .isVerbatim])
    }
  }
}
