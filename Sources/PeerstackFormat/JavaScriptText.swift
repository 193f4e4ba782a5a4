/// What JavaScript's `String(value)` makes of a value that came from JSON.
enum JavaScriptText {
  /// JavaScript throws a TypeError: an object has a `toString` of its own, which is no function.
  struct ConversionError: Error {}

  /// The text of any value. Arrays are their elements with commas between, nested ones flattened by the same rule.
  static func text(of value: JSONValue) throws(ConversionError) -> JSONString {
    if case .string(let string) = value { return string }
    guard case .array = value else { return JSONString(wtf8: try scalarText(of: value)) }
    var parts: [[UInt8]] = []
    var pending = [value]
    while let value = pending.popLast() {
      switch value {
      case .array(let elements) where !elements.isEmpty: pending.append(contentsOf: elements.reversed())
      case .array, .null: parts.append([])
      default: parts.append(try scalarText(of: value))
      }
    }
    return JSONString(wtf8: Array(parts.joined(separator: [UInt8(ascii: ",")])))
  }

  private static func scalarText(of value: JSONValue) throws(ConversionError) -> [UInt8] {
    switch value {
    case .null, .array: return Array("null".utf8)
    case .bool(let bool): return Array((bool ? "true" : "false").utf8)
    case .string(let string): return string.bytes
    case .number(let number):
      guard number.isFinite else { return Array((number < 0 ? "-Infinity" : "Infinity").utf8) }
      var output: [UInt8] = []
      JSONNumber.append(number, to: &output)
      return output
    case .object(let object):
      guard object["toString"] == nil else { throw ConversionError() }
      return Array("[object Object]".utf8)
    }
  }
}
