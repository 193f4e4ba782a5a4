/// Writes the canonical text of a tape, with memory that is kept for the next one.
struct JSONTapeWriter: Sendable {
  private struct Frame: Sendable {
    var isObject: Bool
    var isFirst = true
    /// The next element's node, or the next name's place in `names`.
    var next: Int
    /// Elements or names that are left.
    var remaining: Int
    /// Where the object's names begin in `names`.
    var namesStart: Int
  }

  private var frames: [Frame] = []
  private var names: [Int32] = []
  private static let signatureName = Array("signature".utf8)

  init() {}

  /// Appends the canonical text of all of `tape` to `output`; without the top-level `signature` if so asked.
  mutating func append(
    _ tape: borrowing JSONTape, _ source: Span<UInt8>, omittingSignature: Bool, to output: inout [UInt8]
  ) {
    frames.removeAll(keepingCapacity: true)
    names.removeAll(keepingCapacity: true)
    begin(0, tape, source, to: &output)
    if omittingSignature { omitSignature(tape, source) }
    while let frame = frames.last {
      let top = frames.count - 1
      guard frame.remaining > 0 else {
        output.append(frame.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        names.removeSubrange(frame.namesStart...)
        frames.removeLast()
        continue
      }
      if !frame.isFirst { output.append(UInt8(ascii: ",")) }
      var value = frame.next
      if frame.isObject {
        let name = Int(names[frame.next])
        Self.appendString(name, tape, source, to: &output)
        output.append(UInt8(ascii: ":"))
        value = name + 1
      }
      frames[top].isFirst = false
      frames[top].remaining -= 1
      frames[top].next = frame.isObject ? frame.next + 1 : tape.positionAfter(value)
      begin(value, tape, source, to: &output)
    }
  }

  /// Appends a scalar whole, or the bracket that opens a container.
  private mutating func begin(
    _ position: Int, _ tape: borrowing JSONTape, _ source: Span<UInt8>, to output: inout [UInt8]
  ) {
    switch tape.nodes[position].kind {
    case .null: output.append(contentsOf: "null".utf8)
    case .true: output.append(contentsOf: "true".utf8)
    case .false: output.append(contentsOf: "false".utf8)
    case .number: Self.appendNumber(position, tape, source, to: &output)
    case .string: Self.appendString(position, tape, source, to: &output)
    case .array:
      output.append(UInt8(ascii: "["))
      frames.append(
        Frame(
          isObject: false, next: position + 1, remaining: Int(tape.nodes[position].start), namesStart: names.count))
    case .object:
      output.append(UInt8(ascii: "{"))
      let start = names.count
      tape.appendSortedNames(of: position, in: source, to: &names)
      frames.append(Frame(isObject: true, next: start, remaining: names.count - start, namesStart: start))
    }
  }

  /// Takes `signature` out of the names of the top-level object, which has just been begun.
  private mutating func omitSignature(_ tape: borrowing JSONTape, _ source: Span<UInt8>) {
    guard frames.count == 1, frames[0].isObject else { return }
    for place in names.indices {
      let isSignature = tape.withBytes(at: Int(names[place]), in: source) {
        WTF8.equal($0, Self.signatureName.span)
      }
      guard isSignature else { continue }
      names.remove(at: place)
      frames[0].remaining -= 1
      return
    }
  }

  private static func appendNumber(
    _ position: Int, _ tape: borrowing JSONTape, _ source: Span<UInt8>, to output: inout [UInt8]
  ) {
    let node = tape.nodes[position]
    let text = source.extracting(Int(node.start)..<Int(node.start) + Int(node.length))
    if node.traits.contains(.isVerbatim) {
      text.withUnsafeBufferPointer { output.append(contentsOf: $0) }
    } else {
      JSONNumber.append(JSONNumber.value(of: text), to: &output)
    }
  }

  private static func appendString(
    _ position: Int, _ tape: borrowing JSONTape, _ source: Span<UInt8>, to output: inout [UInt8]
  ) {
    let node = tape.nodes[position]
    let start = Int(node.start)
    let end = start + Int(node.length)
    if !node.traits.contains(.isDecoded) {
      // The source has it as JavaScript would write it, quotation marks and all.
      source.extracting(start - 1..<end + 1).withUnsafeBufferPointer { output.append(contentsOf: $0) }
    } else {
      JSONText.append(
        tape.decoded.span.extracting(start..<end), needsEscapes: node.traits.contains(.needsEscapes), to: &output)
    }
  }
}
