/// The library's own wire text: JSON in which some texts and names mean something else.
///
/// Nothing that arrives here is ever run: a text that the library would evaluate is an error. Members named `__proto__`
/// vanish, as in the library, but change no prototype. Registrar data does not travel this way; boxes do.
public enum PeerstackWire {
  /// Values that a reading may have more than its text, by naming the same part again and again.
  public static let maxRepeatedValues = 1 << 16

  /// What a wire text stands for.
  public enum Reading: Hashable, Sendable {
    /// A value, as far as JSON can hold it: dates are their ISO text, what is not finite is infinite or `null`,
    /// regular expressions and errors are empty objects.
    case value(JSONValue)
    /// JavaScript's `undefined`.
    case nothing
  }

  /// Why a wire text was not read.
  public enum Failure: Error, Hashable, Sendable {
    /// The text is not JSON.
    case syntax(JSONSyntaxError)
    /// A text that the library would run as code.
    case code
    /// A text that stands for the browser's window.
    case window
    /// A regular expression that is none.
    case regularExpression
    /// A member named `hasOwnProperty`, which the library takes for the function.
    case hasOwnProperty
    /// A reference to an array where an object is, or the other way round.
    case mismatchedReference
    /// A reference that is no text and cannot become one.
    case unusableReference
    /// A value that contains itself.
    case circular
    /// More than ``maxRepeatedValues`` values too many, or nested too deeply, once references are followed.
    case tooLarge
  }

  /// Reads a wire text as the library does.
  public static func read(
    _ text: [UInt8], limits: JSONLimits = .standard
  ) throws(Failure) -> Reading {
    let json: JSONValue
    do {
      json = try JSONValue.parseLenient(text, limits: limits)
    } catch {
      throw .syntax(error)
    }
    var graph = WireGraph()
    let root = try graph.read(json)
    return try graph.expanded(root, maxDepth: limits.maxDepth)
  }

  /// The wire text of a value that came from JSON. Like the library it drops members named `__proto__`, and all
  /// members of an object that has a `hasOwnProperty` of its own which is false, 0, null or empty.
  public static func text(of value: JSONValue) throws(Failure) -> [UInt8] {
    var output: [UInt8] = []
    JSONText.append(try WireWriter.wireValue(of: value), order: .javaScript, to: &output)
    return output
  }
}
