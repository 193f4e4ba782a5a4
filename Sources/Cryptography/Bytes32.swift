/// Thirty-two bytes held in place, without heap memory: hashes, public keys.
///
/// Ordered as byte strings.
public struct Bytes32: Hashable, Sendable, Comparable {
  /// The number of bytes of every value.
  public static let count = 32

  // Words as they lie in memory, so that C can read the value where it is.
  private var word0: UInt64
  private var word1: UInt64
  private var word2: UInt64
  private var word3: UInt64

  /// Thirty-two zero bytes.
  public init() {
    word0 = 0
    word1 = 0
    word2 = 0
    word3 = 0
  }

  /// Copies `bytes`; nil unless there are exactly 32.
  public init?(_ bytes: [UInt8]) {
    self.init(span: bytes.span)
  }

  /// Copies `bytes`; nil unless there are exactly 32.
  public init?(_ bytes: ArraySlice<UInt8>) {
    self.init(span: bytes.span)
  }

  /// Copies `bytes`; nil unless there are exactly 32.
  public init?(_ bytes: some Collection<UInt8>) {
    self.init(Array(bytes))
  }

  /// Copies `span`; nil unless it holds exactly 32 bytes.
  public init?(span: Span<UInt8>) {
    guard span.count == Self.count else { return nil }
    self.init()
    withUnsafeMutableBytes { target in
      span.withUnsafeBytes { target.copyMemory(from: $0) }
    }
  }

  /// Copies the first 32 bytes of `span`, and zeros for those it has not.
  public init(padding span: Span<UInt8>) {
    self.init()
    withUnsafeMutableBytes { target in
      span.extracting(first: Self.count).withUnsafeBytes { target.copyMemory(from: $0) }
    }
  }

  /// Lets C write all 32 bytes.
  init(filledBy fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    self.init()
    withUnsafeMutableBytes { target in
      target.withMemoryRebound(to: UInt8.self) { bytes in
        if let start = bytes.baseAddress { fill(start) }
      }
    }
  }

  /// Whether the number that the bytes are, little endian, is below another one.
  func isBelow(_ other: Bytes32) -> Bool {
    if word3 != other.word3 { return word3.littleEndian < other.word3.littleEndian }
    if word2 != other.word2 { return word2.littleEndian < other.word2.littleEndian }
    if word1 != other.word1 { return word1.littleEndian < other.word1.littleEndian }
    return word0.littleEndian < other.word0.littleEndian
  }

  /// The bytes with the highest bit of the last one clear.
  var withoutLastBit: Bytes32 {
    var copy = self
    copy.word3 = (word3.littleEndian & ~(1 << 63)).littleEndian
    return copy
  }

  /// The 32 bytes as an array.
  public var bytes: [UInt8] {
    withUnsafeBytes { Array($0) }
  }

  /// Lower-case hex, 64 characters.
  public var hex: String {
    Hex.encode(bytes)
  }

  /// Appends the 32 bytes to `buffer`.
  public func append(to buffer: inout [UInt8]) {
    withUnsafeBytes { buffer.append(contentsOf: $0) }
  }

  /// Gives the 32 bytes in place to `body`.
  public func withSpan<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    try withUnsafeBytes { raw in
      try raw.withMemoryRebound(to: UInt8.self) { try body($0.span) }
    }
  }

  func withPointer<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
    withUnsafePointer(to: self) { value in
      value.withMemoryRebound(to: UInt8.self, capacity: Self.count) { body($0) }
    }
  }

  private func withUnsafeBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try Swift.withUnsafeBytes(of: self) { try body($0) }
  }

  private mutating func withUnsafeMutableBytes(_ body: (UnsafeMutableRawBufferPointer) -> Void) {
    Swift.withUnsafeMutableBytes(of: &self) { body($0) }
  }

  /// Byte string order.
  public static func < (left: Bytes32, right: Bytes32) -> Bool {
    if left.word0 != right.word0 { return left.word0.bigEndian < right.word0.bigEndian }
    if left.word1 != right.word1 { return left.word1.bigEndian < right.word1.bigEndian }
    if left.word2 != right.word2 { return left.word2.bigEndian < right.word2.bigEndian }
    return left.word3.bigEndian < right.word3.bigEndian
  }
}
