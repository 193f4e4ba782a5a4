/// JSON text of values, written as `JSON.stringify` writes it.
enum JSONText {
  /// The order in which members are written.
  enum MemberOrder {
    /// As JavaScript enumerates them.
    case javaScript
    /// As in canonical text.
    case name
  }

  private struct Frame {
    let container: Container
    var next = 0
  }

  private enum Container {
    case array([JSONValue])
    case object([JSONObject.Member])
    /// Members with the order of their positions.
    case sorted([JSONObject.Member], [Int])

    var count: Int {
      switch self {
      case .array(let elements): elements.count
      case .object(let members): members.count
      case .sorted(_, let positions): positions.count
      }
    }

    var closing: UInt8 {
      if case .array = self { UInt8(ascii: "]") } else { UInt8(ascii: "}") }
    }
  }

  /// Appends the text of `value`; of the top-level object only members that `isWritten` accepts.
  static func append(
    _ value: JSONValue, order: MemberOrder, to output: inout [UInt8],
    isWritten: ((JSONString) -> Bool)? = nil
  ) {
    var frames: [Frame] = []
    begin(value, order: order, frames: &frames, to: &output, isWritten: isWritten)
    while let frame = frames.last {
      guard frame.next < frame.container.count else {
        output.append(frame.container.closing)
        frames.removeLast()
        continue
      }
      if frame.next > 0 { output.append(UInt8(ascii: ",")) }
      frames[frames.count - 1].next += 1
      let child: JSONValue
      switch frame.container {
      case .array(let elements): child = elements[frame.next]
      case .object(let members): child = beginMember(members[frame.next], to: &output)
      case .sorted(let members, let positions): child = beginMember(members[positions[frame.next]], to: &output)
      }
      begin(child, order: order, frames: &frames, to: &output, isWritten: nil)
    }
  }

  private static func beginMember(_ member: JSONObject.Member, to output: inout [UInt8]) -> JSONValue {
    append(member.name, to: &output)
    output.append(UInt8(ascii: ":"))
    return member.value
  }

  private static func begin(
    _ value: JSONValue, order: MemberOrder, frames: inout [Frame], to output: inout [UInt8],
    isWritten: ((JSONString) -> Bool)?
  ) {
    switch value {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let bool): output.append(contentsOf: (bool ? "true" : "false").utf8)
    case .number(let number): JSONNumber.append(number, to: &output)
    case .string(let string): append(string, to: &output)
    case .array(let elements):
      output.append(UInt8(ascii: "["))
      frames.append(Frame(container: .array(elements)))
    case .object(let object):
      output.append(UInt8(ascii: "{"))
      frames.append(Frame(container: container(object, order: order, isWritten: isWritten)))
    }
  }

  private static func container(
    _ object: JSONObject, order: MemberOrder, isWritten: ((JSONString) -> Bool)?
  ) -> Container {
    switch order {
    case .javaScript:
      let members = object.membersInJavaScriptOrder
      return .object(isWritten.map { isWritten in members.filter { isWritten($0.name) } } ?? members)
    case .name:
      var positions = object.positionsByName
      if let isWritten { positions.removeAll { !isWritten(object.storage[$0].name) } }
      return .sorted(object.storage, positions)
    }
  }

  /// Appends a string with its quotation marks.
  static func append(_ string: JSONString, to output: inout [UInt8]) {
    string.withSpan { append($0, needsEscapes: true, to: &output) }
  }

  /// Appends WTF-8 with quotation marks around it.
  static func append(_ bytes: Span<UInt8>, needsEscapes: Bool, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    if needsEscapes {
      appendEscaped(bytes, to: &output)
    } else {
      append(bytes, to: &output)
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func appendEscaped(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
    var index = 0
    var copied = 0
    while true {
      index = JSONScanner.plainEnd(bytes, from: index)
      guard index < bytes.count else { break }
      let byte = bytes[index]
      let isSurrogate = byte == WTF8.surrogateLead && index + 2 < bytes.count && bytes[index + 1] >= 0xa0
      guard isSurrogate || byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
        index += 1
        continue
      }
      append(bytes.extracting(copied..<index), to: &output)
      if isSurrogate {
        appendUnit(0xd000 | UInt16(bytes[index + 1] & 0x3f) << 6 | UInt16(bytes[index + 2] & 0x3f), to: &output)
      } else {
        appendEscape(byte, to: &output)
      }
      index += isSurrogate ? 3 : 1
      copied = index
    }
    append(bytes.extracting(copied..<bytes.count), to: &output)
  }

  private static func append(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
    bytes.withUnsafeBufferPointer { output.append(contentsOf: $0) }
  }

  /// A quotation mark, a backslash or a control character.
  private static func appendEscape(_ byte: UInt8, to output: inout [UInt8]) {
    let letter: UInt8
    switch byte {
    case 0x08: letter = UInt8(ascii: "b")
    case 0x09: letter = UInt8(ascii: "t")
    case 0x0a: letter = UInt8(ascii: "n")
    case 0x0c: letter = UInt8(ascii: "f")
    case 0x0d: letter = UInt8(ascii: "r")
    case ..<0x20: return appendUnit(UInt16(byte), to: &output)
    default: letter = byte
    }
    output.append(UInt8(ascii: "\\"))
    output.append(letter)
  }

  private static func appendUnit(_ unit: UInt16, to output: inout [UInt8]) {
    output.append(contentsOf: "\\u".utf8)
    for shift in stride(from: 12, through: 0, by: -4) {
      let digit = UInt8(truncatingIfNeeded: unit >> UInt16(shift) & 15)
      output.append(digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a"))
    }
  }
}
