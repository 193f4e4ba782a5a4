public import Cryptography

/// Reads signed objects one after the other and verifies them: the fast path for batches.
///
/// Each ``read(_:)`` replaces what the reader knows about the object before. All memory is kept for the next object,
/// so once it has grown nothing is allocated, numbers of more than 15 digits apart. One reader per thread.
public struct SignedObjectReader: Sendable {
  /// Fields of the top-level object that are looked at.
  private enum Field: Int {
    case id, type, signer, signature, modified, publicKey
  }

  private static let names = ["id", "type", "signer", "signature", "modified", "publicKey"].map { Array($0.utf8) }

  private let rules: JSONTape.Rules
  private var tape = JSONTape()
  private var writer = JSONTapeWriter()
  private var canonical = TextBuffer()
  private var hashText: [UInt8] = []
  private var signatureBytes: [UInt8] = []
  /// A copy of what was read: the fields' texts are in it.
  private var source = TextBuffer()
  /// The node of each field that is a string; 0 for those that are not.
  private var fields = InlineArray<6, Int>(repeating: 0)

  /// The object's hash; nil for `null`, which has none.
  public private(set) var hash: Bytes32?
  /// The object's `modified`, if that is a number. Infinite if it is beyond the range of doubles.
  public private(set) var modified: Double?
  /// Whether what was read is an object at all.
  public private(set) var isObject = false

  /// A reader that refuses what exceeds `limits`.
  public init(limits: JSONLimits = .standard) {
    rules = JSONTape.Rules(maxBytes: limits.maxBytes, maxDepth: limits.maxDepth, isStrict: false)
  }

  /// Reads one JSON text leniently and hashes it. After an error the reader knows no object.
  public mutating func read(_ text: Span<UInt8>) throws(JSONSyntaxError) {
    forget()
    try tape.parse(text, rules: rules)
    isObject = tape.nodes[0].kind == .object
    if isObject {
      collectFields(text)
      source.replace(by: text)
    }
    guard tape.nodes[0].kind != .null else { return }
    writer.write(tape, text, omittingSignature: true, to: &canonical)
    hash = canonical.withSpan { SHA256.hash($0) }
  }

  /// Reads one JSON text; see the overload for spans.
  public mutating func read(_ text: [UInt8]) throws(JSONSyntaxError) {
    try read(text.span)
  }

  /// Verifies the signature of the object that was read last.
  public mutating func verify(with key: VerifyingKey) -> PeerstackSignature.Verdict {
    guard let hash else { return .unreadable }
    hashText.removeAll(keepingCapacity: true)
    Hex.append(hash, to: &hashText)
    var buffer: [UInt8] = []
    swap(&buffer, &signatureBytes)
    let verdict = withBytes(of: .signature) { signature in
      PeerstackSignature.verify(
        signature: signature, hashText: hashText.span, publicKey: key, buffer: &buffer)
    }
    swap(&buffer, &signatureBytes)
    return verdict ?? .unreadable
  }

  /// The `id`, if that is a string.
  public var id: JSONString? { string(.id) }

  /// Appends the `id` as JSON text, or `null` if it is no string.
  public func appendID(to output: inout [UInt8]) {
    let isString: Void? = withBytes(of: .id) { JSONText.append($0, needsEscapes: true, to: &output) }
    if isString == nil { output.append(contentsOf: "null".utf8) }
  }

  /// The `type`, if that is a string.
  public var type: JSONString? { string(.type) }

  /// The `signer`, if that is a string.
  public var signer: JSONString? { string(.signer) }

  /// The `signature`, if that is a string.
  public var signature: JSONString? { string(.signature) }

  /// The `publicKey`, if that is a string.
  public var publicKey: JSONString? { string(.publicKey) }

  /// The `signer` without heap memory; nil if it is no string of at most 32 bytes, and so no user id.
  public var shortSigner: ShortText? {
    withBytes(of: .signer) { ShortText(bytes: $0) } ?? nil
  }

  /// The text that is hashed, as UTF-8.
  public var canonicalText: [UInt8] { canonical.bytes }

  private func string(_ field: Field) -> JSONString? {
    withBytes(of: field) { bytes in JSONString(wtf8: bytes.withUnsafeBufferPointer { Array($0) }) }
  }

  /// Gives the WTF-8 of a field to `body`; nil for what is absent or no string.
  private func withBytes<Result>(of field: Field, _ body: (Span<UInt8>) -> Result) -> Result? {
    let node = fields[field.rawValue]
    guard node > 0 else { return nil }
    return source.withSpan { source in tape.withBytes(at: node, in: source, body) }
  }

  private mutating func forget() {
    hash = nil
    modified = nil
    isObject = false
    canonical.removeAll()
    fields = InlineArray(repeating: 0)
  }

  /// Walks the top-level members in order: a later one of the same name replaces an earlier one.
  private mutating func collectFields(_ source: Span<UInt8>) {
    let end = tape.positionAfter(0)
    var name = 1
    while name < end {
      if let field = field(at: name, in: source) { collect(field, at: name + 1, in: source) }
      name = tape.positionAfter(name + 1)
    }
  }

  private func field(at position: Int, in source: Span<UInt8>) -> Field? {
    tape.withBytes(at: position, in: source) { bytes in
      // The shortest is "id".
      guard bytes.count >= 2 else { return nil }
      switch (bytes.count, bytes[0]) {
      case (2, UInt8(ascii: "i")): return Self.field(.id, ifNamed: bytes)
      case (4, UInt8(ascii: "t")): return Self.field(.type, ifNamed: bytes)
      case (6, UInt8(ascii: "s")): return Self.field(.signer, ifNamed: bytes)
      case (8, UInt8(ascii: "m")): return Self.field(.modified, ifNamed: bytes)
      case (9, UInt8(ascii: "s")): return Self.field(.signature, ifNamed: bytes)
      case (9, UInt8(ascii: "p")): return Self.field(.publicKey, ifNamed: bytes)
      default: return nil
      }
    }
  }

  private static func field(_ field: Field, ifNamed name: Span<UInt8>) -> Field? {
    let expected = names[field.rawValue]
    return WTF8.equal(name, expected.span) ? field : nil
  }

  private mutating func collect(_ field: Field, at position: Int, in source: Span<UInt8>) {
    let kind = tape.nodes[position].kind
    if field == .modified {
      modified = kind == .number ? tape.withBytes(at: position, in: source) { JSONNumber.value(of: $0) } : nil
      return
    }
    fields[field.rawValue] = kind == .string ? position : 0
  }
}
