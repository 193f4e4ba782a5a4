/// Writes the canonical text of a tape, with memory that is kept for the next one.
struct JSONTapeWriter: Sendable {
  typealias Node = JSONTape.Node

  /// A container of which a part is written.
  private struct Frame: Sendable {
    var isObject: Bool
    /// Whether the names are taken from `names`; else the children come as in the source.
    var isSorting: Bool
    var isFirst = true
    /// The next child's position, or the next name's place in `names`; and the one after the last.
    var next: Int
    var end: Int
    /// Where the object's names begin in `names`.
    var namesStart: Int
  }

  /// More than any number has characters: -0.000001234567890123456 has 25.
  private static let maxNumberCount = 32
  /// The most characters that one byte of a string becomes: `\u001f`.
  private static let maxEscapeCount = 6
  private static let signatureName = Array("signature".utf8)

  private var frames: [Frame] = []
  private var names = JSONNames()
  private var scratch: [UInt8] = []

  init() {}

  /// Replaces what is in `output` by the canonical text of all of `tape`; without the top-level `signature` if so asked.
  mutating func write(
    _ tape: borrowing JSONTape, _ source: Span<UInt8>, omittingSignature: Bool, to output: inout TextBuffer
  ) {
    // What is not copied from the source comes from there or from `decoded`.
    let maxCount =
      source.count + Self.maxEscapeCount * tape.decoded.count + Self.maxNumberCount * tape.rewrittenNumbers
    output.replace(maxCount: maxCount) { room in
      var target = Target(count: 0)
      let (nodes, decoded) = (tape.nodes.span, tape.decoded.span)
      if omittingSignature, nodes[0].kind == .object {
        let frame = frameWithoutSignature(nodes, source, decoded)
        target.append(UInt8(ascii: "{"), &room)
        writeAll(frame, nodes, source, decoded, &target, &room)
      } else if let frame = begin(0, nodes, source, decoded, &target, &room) {
        writeAll(frame, nodes, source, decoded, &target, &room)
      }
      return target.count
    }
  }

  /// Where the text goes.
  private struct Target {
    var count: Int

    @inline(__always)
    mutating func append(_ byte: UInt8, _ room: inout MutableSpan<UInt8>) {
      room[count] = byte
      count += 1
    }

    @inline(__always)
    mutating func append(_ source: Span<UInt8>, _ range: Range<Int>, _ room: inout MutableSpan<UInt8>) {
      TextBuffer.copy(source, range, to: &room, at: count)
      count += range.count
    }
  }

  /// Writes what is in a container that has been begun, and all brackets that follow.
  private mutating func writeAll(
    _ root: Frame, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>, _ target: inout Target,
    _ room: inout MutableSpan<UInt8>
  ) {
    frames.removeAll(keepingCapacity: true)
    var frame = root
    while true {
      guard frame.next < frame.end else {
        target.append(frame.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"), &room)
        if frame.isSorting { names.removeAll(from: frame.namesStart) }
        guard let outer = frames.popLast() else { return }
        frame = outer
        continue
      }
      if !frame.isFirst { target.append(UInt8(ascii: ","), &room) }
      frame.isFirst = false
      let child = frame.isSorting ? names[frame.next] : frame.next
      let value = frame.isObject ? child + 1 : child
      frame.next = frame.isSorting ? frame.next + 1 : Int(nodes[value].next)
      if frame.isObject, writeName(child, nodes, source, decoded, &target, &room) { continue }
      if let inner = begin(value, nodes, source, decoded, &target, &room) {
        frames.append(frame)
        frame = inner
      }
    }
  }

  /// Writes a name and its colon; or the whole member, and then it is true, if the source has that as it is to be.
  @inline(__always)
  private mutating func writeName(
    _ position: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>, _ target: inout Target,
    _ room: inout MutableSpan<UInt8>
  ) -> Bool {
    let (name, value) = (nodes[position], nodes[position + 1])
    // Only a colon between them.
    let isTogether = value.textStart == name.textEnd + 1
    if isTogether, name.traits.intersection(value.traits).contains(.isVerbatim) {
      target.append(source, name.textStart..<value.textEnd, &room)
      return true
    }
    writeString(name, source, decoded, &target, &room)
    target.append(UInt8(ascii: ":"), &room)
    return false
  }

  /// Writes a scalar whole, or the bracket that opens a container and says how to go on.
  private mutating func begin(
    _ position: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>, _ target: inout Target,
    _ room: inout MutableSpan<UInt8>
  ) -> Frame? {
    let node = nodes[position]
    if node.traits.contains(.isVerbatim) {
      target.append(source, node.textStart..<node.textEnd, &room)
      return nil
    }
    switch node.kind {
    case .array:
      target.append(UInt8(ascii: "["), &room)
      return Frame(
        isObject: false, isSorting: false, next: position + 1, end: Int(node.next), namesStart: names.count)
    case .object:
      target.append(UInt8(ascii: "{"), &room)
      return frame(ofObject: position, nodes, source, decoded)
    case .number: writeNumber(node, source, &target, &room)
    // Literals are verbatim always.
    case .string, .null, .true, .false: writeString(node, source, decoded, &target, &room)
    }
    return nil
  }

  private mutating func frame(
    ofObject position: Int, _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Frame {
    let node = nodes[position]
    let start = names.count
    if node.traits.contains(.isSorted) {
      return Frame(
        isObject: true, isSorting: false, next: position + 1, end: Int(node.next), namesStart: start)
    }
    names.append(namesOf: position, nodes, source, decoded)
    return Frame(isObject: true, isSorting: true, next: start, end: names.count, namesStart: start)
  }

  /// The top-level object with all names but `signature`.
  private mutating func frameWithoutSignature(
    _ nodes: Span<Node>, _ source: Span<UInt8>, _ decoded: Span<UInt8>
  ) -> Frame {
    names.removeAll()
    names.append(namesOf: 0, nodes, source, decoded)
    names.remove(Self.signatureName.span, nodes, source, decoded)
    return Frame(isObject: true, isSorting: true, next: 0, end: names.count, namesStart: 0)
  }

  @inline(never)
  private mutating func writeNumber(
    _ node: Node, _ source: Span<UInt8>, _ target: inout Target, _ room: inout MutableSpan<UInt8>
  ) {
    scratch.removeAll(keepingCapacity: true)
    JSONNumber.append(JSONNumber.value(of: source.extracting(node.textStart..<node.textEnd)), to: &scratch)
    target.append(scratch.span, scratch.indices, &room)
  }

  private mutating func writeString(
    _ node: Node, _ source: Span<UInt8>, _ decoded: Span<UInt8>, _ target: inout Target,
    _ room: inout MutableSpan<UInt8>
  ) {
    if node.traits.contains(.isVerbatim) {
      return target.append(source, node.textStart..<node.textEnd, &room)
    }
    scratch.removeAll(keepingCapacity: true)
    node.withBytes(source, decoded) {
      JSONText.append($0, needsEscapes: node.traits.contains(.needsEscapes), to: &scratch)
    }
    target.append(scratch.span, scratch.indices, &room)
  }
}
