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
    Self.append(line: line, verdict: verdict, reason: reason, to: &output) { output in
      output.append(contentsOf: id.map { JSONValue.string($0).text } ?? Array("null".utf8))
    }
  }

  /// Appends the JSON text and an LF, with an id that `appendID` writes as JSON: without a string for each line.
  static func append(
    line: Int, verdict: String, reason: String, to output: inout [UInt8], appendID: (inout [UInt8]) -> Void
  ) {
    output.append(contentsOf: #"{"line":"#.utf8)
    output.append(contentsOf: String(line).utf8)
    output.append(contentsOf: #","id":"#.utf8)
    appendID(&output)
    output.append(contentsOf: #","verdict":"#.utf8)
    JSONValue.appendText(of: verdict, to: &output)
    output.append(contentsOf: #","reason":"#.utf8)
    JSONValue.appendText(of: reason, to: &output)
    output.append(contentsOf: "}\n".utf8)
  }
}
