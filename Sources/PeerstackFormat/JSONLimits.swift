/// How much JSON is read at most.
public struct JSONLimits: Hashable, Sendable {
  /// Bytes of text.
  public var maxBytes: Int
  /// Nested containers; the top level is 1. Values this deep still fit a thread stack of 512 KiB when they are
  /// released.
  public var maxDepth: Int

  /// Takes at most ``maxBytesCeiling`` and ``maxDepthCeiling``, however much is asked for.
  public init(maxBytes: Int = standardMaxBytes, maxDepth: Int = standardMaxDepth) {
    self.maxBytes = min(maxBytes, Self.maxBytesCeiling)
    self.maxDepth = min(maxDepth, Self.maxDepthCeiling)
  }

  /// 16 MiB: twice the largest answer of a registrar.
  public static let standardMaxBytes = 16 << 20
  /// 1,000 levels. The JavaScript library has no limit of its own and fails at about 6,200.
  public static let standardMaxDepth = 1_000
  /// What registrar objects may have (protocol §1.2).
  public static let strictMaxDepth = 16
  /// 1 GiB: positions are kept in 32 bits.
  public static let maxBytesCeiling = 1 << 30
  /// The most levels whose release was measured to fit a stack of 512 KiB.
  public static let maxDepthCeiling = 1_000

  /// The limits where nothing else is said.
  public static let standard = JSONLimits()
}
