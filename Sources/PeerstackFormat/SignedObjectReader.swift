public import Cryptography

/// Reads signed objects one after the other and verifies them: the fast path for batches.
///
/// Each ``read(_:)`` replaces what the reader knows about the object before. All memory is kept for the next object,
/// so once it has grown nothing is allocated, numbers of more than 15 digits apart. One reader per thread.
public struct SignedObjectReader: Sendable {
  /// Fields of the top-level object that are looked at.
  private enum Field: Int, CaseIterable {
    case id, type, signer, signature, modified, publicKey
  }

  private static let names = ["id", "type", "signer", "signature", "modified", "publicKey"].map { Array($0.utf8) }

  private let rules: JSONTape.Rules
  private var tape = JSONTape()
  private var writer = JSONTapeWriter()
  private var canonical: [UInt8] = []
  private var hashText: [UInt8] = []
  private var signatureBytes: [UInt8] = []
  /// The fields' texts one after the other.
  private var texts: [UInt8] = []
  /// Where each text is; nil for what is absent or no string.
  private var ranges: [Range<Int>?] = Array(repeating: nil, count: Field.allCases.count)

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
    if isObject { collectFields(text) }
    guard tape.nodes[0].kind != .null else { return }
    writer.append(tape, text, omittingSignature: true, to: &canonical)
    let hash = SHA256.hash(canonical.span)
    self.hash = hash
    Hex.append(hash, to: &hashText)
  }

  /// Reads one JSON text; see the overload for spans.
  public mutating func read(_ text: [UInt8]) throws(JSONSyntaxError) {
    try read(text.span)
  }

  /// Verifies the signature of the object that was read last.
  public mutating func verify(with key: VerifyingKey) -> PeerstackSignature.Verdict {
    guard hash != nil, let range = ranges[Field.signature.rawValue] else { return .unreadable }
    var buffer: [UInt8] = []
    swap(&buffer, &signatureBytes)
    let verdict = PeerstackSignature.verify(
      signature: texts.span.extracting(range), hashText: hashText.span, publicKey: key, buffer: &buffer)
    swap(&buffer, &signatureBytes)
    return verdict
  }

  /// The `id`, if that is a string.
  public var id: JSONString? { string(.id) }

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
    ranges[Field.signer.rawValue].flatMap { ShortText(bytes: texts.span.extracting($0)) }
  }

  /// The text that is hashed, as UTF-8.
  public var canonicalText: [UInt8] { canonical }

  private func string(_ field: Field) -> JSONString? {
    ranges[field.rawValue].map { range in
      JSONString(wtf8: texts.span.extracting(range).withUnsafeBufferPointer { Array($0) })
    }
  }

  private mutating func forget() {
    hash = nil
    modified = nil
    isObject = false
    canonical.removeAll(keepingCapacity: true)
    hashText.removeAll(keepingCapacity: true)
    texts.removeAll(keepingCapacity: true)
    for index in ranges.indices { ranges[index] = nil }
  }

  /// Walks the top-level members in order: a later one of the same name replaces an earlier one.
  private mutating func collectFields(_ source: Span<UInt8>) {
    var name = 1
    for _ in 0..<tape.nodes[0].start {
      if let field = field(at: name, in: source) { collect(field, at: name + 1, in: source) }
      name = tape.positionAfter(name + 1)
    }
  }

  private func field(at position: Int, in source: Span<UInt8>) -> Field? {
    // From "id" to "signature" and "publicKey".
    guard (2...9).contains(tape.nodes[position].length) else { return nil }
    return tape.withBytes(at: position, in: source) { bytes in
      for field in Field.allCases {
        let name = Self.names[field.rawValue]
        if WTF8.equal(bytes, name.span) { return field }
      }
      return nil
    }
  }

  private mutating func collect(_ field: Field, at position: Int, in source: Span<UInt8>) {
    let kind = tape.nodes[position].kind
    if field == .modified {
      modified = kind == .number ? tape.withBytes(at: position, in: source) { JSONNumber.value(of: $0) } : nil
      return
    }
    ranges[field.rawValue] = nil
    guard kind == .string else { return }
    let start = texts.count
    tape.withBytes(at: position, in: source) { bytes in
      bytes.withUnsafeBufferPointer { texts.append(contentsOf: $0) }
    }
    ranges[field.rawValue] = start..<texts.count
  }
}
