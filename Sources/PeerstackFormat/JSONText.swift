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
    var isObject: Bool
    var elements: [JSONValue]
    var names: [JSONString]
    var next = 0
  }

  /// Appends the text of `value`; of the top-level object only members that `isWritten` accepts.
  static func append(
    _ value: JSONValue, order: MemberOrder, to output: inout [UInt8],
    isWritten: (JSONString) -> Bool = { _ in true }
  ) {
    var frames: [Frame] = []
    begin(value, order: order, frames: &frames, to: &output, isWritten: isWritten)
    while let top = frames.indices.last {
      let place = frames[top].next
      guard place < frames[top].elements.count else {
        output.append(frames[top].isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        frames.removeLast()
        continue
      }
      if place > 0 { output.append(UInt8(ascii: ",")) }
      if frames[top].isObject {
        append(frames[top].names[place], to: &output)
        output.append(UInt8(ascii: ":"))
      }
      frames[top].next += 1
      begin(frames[top].elements[place], order: order, frames: &frames, to: &output) { _ in true }
    }
  }

  private static func begin(
    _ value: JSONValue, order: MemberOrder, frames: inout [Frame], to output: inout [UInt8],
    isWritten: (JSONString) -> Bool
  ) {
    switch value {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let bool): output.append(contentsOf: (bool ? "true" : "false").utf8)
    case .number(let number): JSONNumber.append(number, to: &output)
    case .string(let string): append(string, to: &output)
    case .array(let elements):
      output.append(UInt8(ascii: "["))
      frames.append(Frame(isObject: false, elements: elements, names: []))
    case .object(let object):
      output.append(UInt8(ascii: "{"))
      let members =
        order == .name ? object.positionsByName.map { object.storage[$0] } : object.membersInJavaScriptOrder
      let written = members.filter { isWritten($0.name) }
      frames.append(Frame(isObject: true, elements: written.map(\.value), names: written.map(\.name)))
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
      bytes.withUnsafeBufferPointer { output.append(contentsOf: $0) }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func appendEscaped(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      switch byte {
      case ..<0x20: appendControl(byte, to: &output)
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        output.append(UInt8(ascii: "\\"))
        output.append(byte)
      case WTF8.surrogateLead where index + 2 < bytes.count && bytes[index + 1] >= 0xa0:
        appendUnit(0xd000 | UInt16(bytes[index + 1] & 0x3f) << 6 | UInt16(bytes[index + 2] & 0x3f), to: &output)
        index += 2
      default: output.append(byte)
      }
      index += 1
    }
  }

  private static func appendControl(_ byte: UInt8, to output: inout [UInt8]) {
    let letter: Character?
    switch byte {
    case 0x08: letter = "b"
    case 0x09: letter = "t"
    case 0x0a: letter = "n"
    case 0x0c: letter = "f"
    case 0x0d: letter = "r"
    default: letter = nil
    }
    guard let letter, let ascii = letter.asciiValue else { return appendUnit(UInt16(byte), to: &output) }
    output.append(UInt8(ascii: "\\"))
    output.append(ascii)
  }

  private static func appendUnit(_ unit: UInt16, to output: inout [UInt8]) {
    output.append(contentsOf: "\\u".utf8)
    for shift in stride(from: 12, through: 0, by: -4) {
      let digit = UInt8(truncatingIfNeeded: unit >> UInt16(shift) & 15)
      output.append(digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a"))
    }
  }
}
