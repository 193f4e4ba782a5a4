/// How much of a request's head is read before it is refused (docs/http.md).
///
/// All sizes are bytes. Passing any of them is `FramingFault.headersTooLarge` (protocol §8: 431).
public struct HTTPLimits: Hashable, Sendable {
  /// Largest head: request line, field lines and the empty line, with their line ends.
  public let headBytes: Int
  /// Longest request target, as it stands in the request line.
  public let targetBytes: Int
  /// Most field lines.
  public let fieldCount: Int

  /// Largest head that can be configured: positions in a head are kept in 16 bits.
  public static let largestHeadBytes = 65_535

  /// `headBytes` is brought into 1…`largestHeadBytes`; the other two are taken as they are.
  public init(headBytes: Int = 8192, targetBytes: Int = 4096, fieldCount: Int = 64) {
    self.headBytes = min(max(headBytes, 1), HTTPLimits.largestHeadBytes)
    self.targetBytes = targetBytes
    self.fieldCount = fieldCount
  }
}
