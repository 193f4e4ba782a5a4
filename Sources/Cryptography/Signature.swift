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

  /// Whether S is below the order of the group and R is not of small order, in any spelling (protocol §1.2). What is not
  /// so never verifies; a strict reader says so before it comes to that.
  public var hasCanonicalForm: Bool {
    scalarS.isBelow(Self.groupOrder) && !Self.smallOrder.contains(pointR.withoutLastBit)
  }

  /// 2²⁵² + 27742317777372353535851937790883648493, little endian (RFC 8032 §5.1).
  private static let groupOrder = Bytes32(
    padding: [
      0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
    ].span)

  /// The y of the points of order 1, 2, 4 and 8, little endian and without the sign of x: 0, 1, two of order 8, p − 1,
  /// and p and p + 1, which are other spellings of 0 and 1.
  private static let smallOrder = [
    [UInt8](repeating: 0, count: 32),
    [1] + [UInt8](repeating: 0, count: 31),
    [
      0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
      0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
    [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
    [0xee] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
  ].map { (bytes: [UInt8]) in Bytes32(padding: bytes.span) }

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
