/// A detached Ed25519 signature, 64 bytes: R and S (RFC 8032 §5.1.6).
public struct Signature: Hashable, Sendable {
  /// The number of bytes of every signature.
  public static let count = 64

  private var pointR: Bytes32
  private var scalarS: Bytes32

  /// Copies `bytes`; nil unless there are exactly 64. Nothing else is checked.
  public init?(_ bytes: [UInt8]) {
    self.init(span: bytes.span)
  }

  /// Copies `bytes`; nil unless there are exactly 64. Nothing else is checked.
  public init?(_ bytes: some Collection<UInt8>) {
    self.init(Array(bytes))
  }

  /// Copies `span`; nil unless it holds exactly 64 bytes. Nothing else is checked.
  public init?(span: Span<UInt8>) {
    guard span.count == Self.count,
      let pointR = Bytes32(span: span.extracting(first: Bytes32.count)),
      let scalarS = Bytes32(span: span.extracting(last: Bytes32.count))
    else { return nil }
    self.pointR = pointR
    self.scalarS = scalarS
  }

  /// Lets C write all 64 bytes.
  init(filledBy fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    pointR = Bytes32()
    scalarS = Bytes32()
    withUnsafeMutablePointer(to: &self) { value in
      value.withMemoryRebound(to: UInt8.self, capacity: Self.count) { fill($0) }
    }
  }

  /// The 64 bytes as an array.
  public var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(Self.count)
    pointR.append(to: &result)
    scalarS.append(to: &result)
    return result
  }

  func withPointer<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
    withUnsafePointer(to: self) { value in
      value.withMemoryRebound(to: UInt8.self, capacity: Self.count) { body($0) }
    }
  }
}

extension Signature: CustomStringConvertible, CustomReflectable {
  /// Signatures stay out of logs.
  public var description: String { "Signature(redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
