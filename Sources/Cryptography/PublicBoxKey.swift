/// An X25519 public key, 32 bytes (RFC 7748).
public struct PublicBoxKey: Hashable, Sendable {
  /// The number of bytes of every key.
  public static let count = Bytes32.count

  /// The key as it was given.
  public let bytes32: Bytes32

  /// Wraps 32 bytes unchecked: see ``isCanonicalAndNotSmallOrder``.
  public init(_ bytes: Bytes32) {
    bytes32 = bytes
  }

  /// Copies `bytes`; nil unless there are exactly 32. Nothing else is checked: see ``isCanonicalAndNotSmallOrder``.
  public init?(_ bytes: [UInt8]) {
    guard let bytes = Bytes32(bytes) else { return nil }
    bytes32 = bytes
  }

  /// Copies `bytes`; nil unless there are exactly 32. Nothing else is checked: see ``isCanonicalAndNotSmallOrder``.
  public init?(_ bytes: some Collection<UInt8>) {
    self.init(Array(bytes))
  }

  /// The 32 bytes as an array.
  public var bytes: [UInt8] { bytes32.bytes }

  /// Whether u is below p = 2²⁵⁵ − 19 (so bit 255 is clear) and not one of the five of small order
  /// (protocol §3).
  public var isCanonicalAndNotSmallOrder: Bool {
    bytes32.isBelow(Self.prime) && !Self.smallOrder.contains(bytes32)
  }

  /// 2²⁵⁵ − 19, little endian.
  private static let prime = Bytes32(padding: ([0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f]).span)

  /// The canonical u of order 1, 2, 4 and 8, on the curve and on its twist, little endian: 0, 1, two of order 8,
  /// and p − 1.
  private static let smallOrder = [
    [UInt8](repeating: 0, count: 32),
    [1] + [UInt8](repeating: 0, count: 31),
    [
      0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
      0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
      0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
      0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
  ].map { (bytes: [UInt8]) in Bytes32(padding: bytes.span) }
}
