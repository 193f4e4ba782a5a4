extension JSONValue {
  /// Reads JSON as `JSON.parse` does, from UTF-8: numbers become doubles, a later duplicate wins, lone surrogates may
  /// come as escapes. Bounded by `limits`, and without recursion.
  public static func parseLenient(
    _ bytes: [UInt8], limits: JSONLimits = .standard
  ) throws(JSONSyntaxError) -> JSONValue {
    try parse(
      bytes, rules: JSONTape.Rules(maxBytes: limits.maxBytes, maxDepth: limits.maxDepth, isStrict: false))
  }

  /// Reads JSON as registrar objects are read (protocol §1.2): no duplicate names, no lone surrogates, no number that
  /// is not a plain integer within ±(2⁵³ − 1), no deeper than `maxDepth`. What is thrown here is `malformed` there.
  public static func parseStrict(
    _ bytes: [UInt8], maxDepth: Int = JSONLimits.strictMaxDepth
  ) throws(JSONSyntaxError) -> JSONValue {
    let limits = JSONLimits(maxDepth: maxDepth)
    return try parse(
      bytes, rules: JSONTape.Rules(maxBytes: limits.maxBytes, maxDepth: limits.maxDepth, isStrict: true))
  }

  private static func parse(_ bytes: [UInt8], rules: JSONTape.Rules) throws(JSONSyntaxError) -> JSONValue {
    var tape = JSONTape()
    try tape.parse(bytes.span, rules: rules)
    return tape.value(in: bytes.span)
  }

  /// Appends the JSON text of a string.
  public static func appendText(of string: String, to output: inout [UInt8]) {
    JSONText.append(string.utf8.span, needsEscapes: true, to: &output)
  }

  /// JSON text as `JSON.stringify` writes it: members in the order of the source, but array indexes first.
  public var text: [UInt8] {
    var output: [UInt8] = []
    JSONText.append(self, order: .javaScript, to: &output)
    return output
  }
}

extension JSONTape {
  private struct Frame {
    var position: Int
    var elements: [JSONValue] = []
    var names: [JSONString] = []
    /// The node after the container.
    var end: Int
  }

  /// The value of the whole tape, built without recursion.
  func value(in source: Span<UInt8>) -> JSONValue {
    var frames: [Frame] = []
    var position = 0
    while true {
      if isContainer(position) {
        frames.append(Frame(position: position, end: positionAfter(position)))
        position += 1
      } else {
        let value = scalar(at: position, in: source)
        position += 1
        guard !frames.isEmpty else { return value }
        frames[frames.count - 1].elements.append(value)
      }
      // Frames are looked at where they are: a copy would make every append to its arrays one of all they hold.
      while !frames.isEmpty, frames[frames.count - 1].end == position {
        let value = container(frames.removeLast())
        guard !frames.isEmpty else { return value }
        frames[frames.count - 1].elements.append(value)
      }
      if !frames.isEmpty, nodes[frames[frames.count - 1].position].kind == .object {
        frames[frames.count - 1].names.append(string(at: position, in: source))
        position += 1
      }
    }
  }

  private func isContainer(_ position: Int) -> Bool {
    nodes[position].kind == .array || nodes[position].kind == .object
  }

  private func container(_ frame: Frame) -> JSONValue {
    guard nodes[frame.position].kind == .object else { return .array(frame.elements) }
    return .object(
      JSONObject(zip(frame.names, frame.elements).map { JSONObject.Member(name: $0, value: $1) }))
  }

  private func scalar(at position: Int, in source: Span<UInt8>) -> JSONValue {
    switch nodes[position].kind {
    case .true: .bool(true)
    case .false: .bool(false)
    case .number: .number(withBytes(at: position, in: source) { JSONNumber.value(of: $0) })
    case .string: .string(string(at: position, in: source))
    case .null, .array, .object: .null
    }
  }

  func string(at position: Int, in source: Span<UInt8>) -> JSONString {
    let isIllFormed = nodes[position].traits.contains(.isIllFormed)
    return withBytes(at: position, in: source) { bytes in
      isIllFormed ? JSONString(wtf8: bytes.withUnsafeBufferPointer { Array($0) }) : JSONString(utf8: bytes)
    }
  }
}
