public import PeerstackFormat

/// The answer about one line: `{"line":1,"id":"…","verdict":"valid","reason":"…"}`.
public struct VerdictLine: Sendable {
  /// The line's number, from 1.
  public let line: Int
  /// The object's `id`, if that is a string.
  public let id: JSONString?
  /// One of the verdicts of the protocol (§9).
  public let verdict: String
  /// Why, for people.
  public let reason: String

  /// An answer.
  public init(line: Int, id: JSONString?, verdict: String, reason: String) {
    self.line = line
    self.id = id
    self.verdict = verdict
    self.reason = reason
  }

  /// Appends the JSON text and an LF.
  public func append(to output: inout [UInt8]) {
    output.append(contentsOf: #"{"line":"#.utf8)
    output.append(contentsOf: String(line).utf8)
    output.append(contentsOf: #","id":"#.utf8)
    if let id { Self.append(id, to: &output) } else { output.append(contentsOf: "null".utf8) }
    output.append(contentsOf: #","verdict":"#.utf8)
    Self.append(JSONString(verdict), to: &output)
    output.append(contentsOf: #","reason":"#.utf8)
    Self.append(JSONString(reason), to: &output)
    output.append(contentsOf: "}\n".utf8)
  }

  private static func append(_ string: JSONString, to output: inout [UInt8]) {
    // Ids and reasons hardly ever need an escape.
    if let text = string.string,
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
    {
      output.append(UInt8(ascii: "\""))
      output.append(contentsOf: text.utf8)
      output.append(UInt8(ascii: "\""))
    } else {
      output.append(contentsOf: JSONValue.string(string).text)
    }
  }
}
