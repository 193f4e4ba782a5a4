/// Turns a value into the one whose ordinary JSON text is its wire text.
enum WireWriter {
  private struct Frame {
    let isObject: Bool
    var names: [JSONString]
    var rest: ArraySlice<JSONValue>
    var written: [JSONValue] = []
  }

  static let dollarEscape = Array("__DOLLAR_".utf8)

  /// Walks with a stack of its own.
  static func wireValue(of value: JSONValue) throws(PeerstackWire.Failure) -> JSONValue {
    var frames: [Frame] = []
    var done = try begin(value, &frames)
    while !frames.isEmpty {
      let top = frames.count - 1
      if let written = done {
        frames[top].written.append(written)
        done = nil
      } else if let next = frames[top].rest.popFirst() {
        done = try begin(next, &frames)
      } else {
        done = end(frames.removeLast())
        if frames.isEmpty { break }
      }
    }
    return done ?? .null
  }

  /// The wire value of a scalar; nil if a container was opened instead.
  private static func begin(
    _ value: JSONValue, _ frames: inout [Frame]
  ) throws(PeerstackWire.Failure) -> JSONValue? {
    switch value {
    case .number(.infinity): return "Infinity"
    case .array(let elements):
      frames.append(Frame(isObject: false, names: [], rest: elements[...]))
      return nil
    case .object(let object):
      let members = try writtenMembers(of: object)
      frames.append(Frame(isObject: true, names: members.map { wireName($0.name) }, rest: members.map(\.value)[...]))
      return nil
    default: return value
    }
  }

  private static func end(_ frame: Frame) -> JSONValue {
    guard frame.isObject else { return .array(frame.written) }
    return .object(JSONObject(zip(frame.names, frame.written).map { ($0, $1) }))
  }

  private static func writtenMembers(
    of object: JSONObject
  ) throws(PeerstackWire.Failure) -> [JSONObject.Member] {
    if let own = object["hasOwnProperty"] {
      guard !own.isTruthy else { throw .hasOwnProperty }
      return []
    }
    return object.membersInJavaScriptOrder.filter { $0.name != "__proto__" }
  }

  private static func wireName(_ name: JSONString) -> JSONString {
    let bytes = name.bytes
    guard bytes.first == UInt8(ascii: "$") else { return name }
    return JSONString(wtf8: dollarEscape + bytes.dropFirst())
  }
}

extension JSONValue {
  /// Whether JavaScript takes the value for true in a condition.
  var isTruthy: Bool {
    switch self {
    case .null: false
    case .bool(let bool): bool
    case .number(let number): number != 0 && !number.isNaN
    case .string(let string): string != ""
    case .array, .object: true
    }
  }
}
