/// A JSON text that was read strictly, with the canonical texts that are hashed.
///
/// What stands in the source as it is to be written is copied from there: no text is made of values that were just read
/// from one.
public struct StrictJSON: Sendable {
  /// What was read.
  public let value: JSONValue
  /// The canonical text.
  public let canonical: [UInt8]
  private let unsigned: [UInt8]?

  /// Reads a text as ``JSONValue/parseStrict(_:maxDepth:)`` does.
  public init(_ text: [UInt8]) throws(JSONSyntaxError) {
    let limits = JSONLimits(maxDepth: JSONLimits.strictMaxDepth)
    var tape = JSONTape()
    let source = text.span
    try tape.parse(source, rules: JSONTape.Rules(maxBytes: limits.maxBytes, maxDepth: limits.maxDepth, isStrict: true))
    value = tape.value(in: source)
    var writer = JSONTapeWriter()
    var buffer = TextBuffer()
    writer.write(tape, source, omittingSignature: false, to: &buffer)
    canonical = buffer.bytes
    writer.write(tape, source, omittingSignature: true, to: &buffer)
    unsigned = buffer.bytes
  }

  /// Wraps a value that is a part of what was read strictly.
  public init(_ value: JSONValue) {
    self.init(value, canonical: CanonicalJSON.bytes(of: value))
  }

  /// Wraps a value whose canonical text is known: the caller answers for that.
  package init(_ value: JSONValue, canonical: [UInt8]) {
    self.value = value
    self.canonical = canonical
    unsigned = nil
  }

  /// The canonical text without the top-level `signature`.
  public var canonicalWithoutSignature: [UInt8] { unsigned ?? CanonicalJSON.bytesWithoutSignature(of: value) }
}
