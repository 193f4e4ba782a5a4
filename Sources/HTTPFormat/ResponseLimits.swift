/// How much of a response is read before it is given up. All sizes are bytes.
public struct ResponseLimits: Hashable, Sendable {
  /// Largest head: status line, field lines and the empty line, with their line ends. Also the most that the framing of
  /// one chunk and all trailers of a chunked body may take.
  public let headBytes: Int
  /// Most field lines.
  public let fieldCount: Int
  /// Largest body, without its chunk framing.
  public let bodyBytes: Int

  /// `headBytes` is brought into 1…`HTTPLimits.largestHeadBytes`, since positions in a head are kept in 16 bits.
  public init(headBytes: Int = 16_384, fieldCount: Int = 128, bodyBytes: Int = 16_777_216) {
    self.headBytes = min(max(headBytes, 1), HTTPLimits.largestHeadBytes)
    self.fieldCount = fieldCount
    self.bodyBytes = bodyBytes
  }
}
