extension JSONTape {
  /// Reads one JSON text (RFC 8259, as `JSON.parse` does), without recursion. What the tape held before is gone.
  mutating func parse(_ source: Span<UInt8>, rules: Rules) throws(JSONSyntaxError) {
    removeAll()
    guard source.count <= rules.maxBytes else { throw .tooLarge(count: source.count, limit: rules.maxBytes) }
    var scanner = JSONScanner(rules: rules)
    repeat {
      scanner.skipWhitespace(source)
      try readValueStart(source, &scanner)
    } while try !finishValue(source, &scanner)
    scanner.skipWhitespace(source)
    guard scanner.index == source.count else { throw .trailingContent(offset: scanner.index) }
  }

  /// Reads a scalar whole, or opens containers until a value is complete or expected.
  private mutating func readValueStart(
    _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) {
    switch try scanner.peek(source) {
    case UInt8(ascii: "\""): try readString(source, &scanner)
    case UInt8(ascii: "{"): try open(.object, source, &scanner)
    case UInt8(ascii: "["): try open(.array, source, &scanner)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): nodes.append(try scanner.readNumber(source))
    case UInt8(ascii: "t"): try readLiteral("true", .true, source, &scanner)
    case UInt8(ascii: "f"): try readLiteral("false", .false, source, &scanner)
    case UInt8(ascii: "n"): try readLiteral("null", .null, source, &scanner)
    case let byte: throw .unexpectedByte(byte, offset: scanner.index)
    }
  }

  /// Goes on after a complete value, or after the opening of a container, to the place where the next value begins.
  /// True when the outermost value is complete.
  private mutating func finishValue(
    _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) -> Bool {
    while let container = openContainers.last {
      let isObject = nodes[container].kind == .object
      let isFresh = container == nodes.count - 1
      scanner.skipWhitespace(source)
      let byte = try scanner.peek(source)
      if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
        scanner.index += 1
        try close(container, source, &scanner)
        continue
      }
      if !isFresh {
        guard byte == UInt8(ascii: ",") else { throw .unexpectedByte(byte, offset: scanner.index) }
        scanner.index += 1
      }
      nodes[container].start += 1
      if isObject { try readName(source, &scanner) }
      return false
    }
    return true
  }

  private mutating func open(
    _ kind: Kind, _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) {
    guard openContainers.count < scanner.rules.maxDepth else {
      throw .tooDeep(offset: scanner.index, limit: scanner.rules.maxDepth)
    }
    scanner.index += 1
    openContainers.append(nodes.count)
    nodes.append(Node(kind: kind, traits: [], start: 0, length: 0))
  }

  private mutating func close(
    _ container: Int, _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) {
    openContainers.removeLast()
    nodes[container].length = UInt32(truncatingIfNeeded: nodes.count)
    guard scanner.rules.isStrict, nodes[container].kind == .object else { return }
    var names: [Int32] = []
    swap(&names, &sortedNames)
    names.removeAll(keepingCapacity: true)
    appendSortedNames(of: container, in: source, to: &names)
    let isUnique = names.count == Int(nodes[container].start)
    swap(&names, &sortedNames)
    guard isUnique else { throw .duplicateName(offset: scanner.index - 1) }
  }

  private mutating func readName(
    _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) {
    scanner.skipWhitespace(source)
    let byte = try scanner.peek(source)
    guard byte == UInt8(ascii: "\"") else { throw .unexpectedByte(byte, offset: scanner.index) }
    try readString(source, &scanner)
    scanner.skipWhitespace(source)
    let separator = try scanner.peek(source)
    guard separator == UInt8(ascii: ":") else { throw .unexpectedByte(separator, offset: scanner.index) }
    scanner.index += 1
  }

  private mutating func readString(
    _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) {
    nodes.append(try scanner.readString(source, decoded: &decoded))
  }

  private mutating func readLiteral(
    _ text: StaticString, _ kind: Kind, _ source: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(JSONSyntaxError) {
    try scanner.expect(text, source)
    nodes.append(Node(kind: kind, traits: [], start: 0, length: 0))
  }
}
