/// Every limit of the HTTP interface (docs/spec/protocol.md §8).
public enum APILimits {
  /// Bytes of a request's body.
  public static let bodyBytes = 64 << 10
  /// Bytes of the body of `resolve`.
  public static let resolveBodyBytes = 256 << 10
  /// Ids of one `resolve`.
  public static let resolveIDs = 1...1_000
  /// Bytes of an answer to `resolve`, after which ids go to `more`.
  public static let resolveAnswerBytes = 8 << 20
  /// Entries of one page of `export`.
  public static let exportEntries = 1...1_000
  /// Bytes of a message on the event feed.
  public static let eventMessageBytes = 64 << 10
  /// Seconds that answers about keys may be kept without asking again.
  public static let keyMaxAgeSeconds = 60
}

/// How the event feed closes (docs/spec/protocol.md §8).
public enum EventClose: UInt16, Sendable, CaseIterable {
  /// `after` is beyond the latest index.
  case futureCursor = 4000
  /// The client does not read as fast as entries come.
  case consumerTooSlow = 4001
  /// The registrar stops.
  case goingAway = 1001
  /// A message that is no subscription, or too long.
  case policyViolation = 1008

  /// The reason that goes with the code.
  public var reason: String {
    switch self {
    case .futureCursor: "future-cursor"
    case .consumerTooSlow: "consumer-too-slow"
    case .goingAway: "going-away"
    case .policyViolation: "not a subscription, or longer than 64 KiB"
    }
  }
}
