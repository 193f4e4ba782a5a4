/// Why a request got no answer that can be used, or a WebSocket ended.
public struct WebClientError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What to do depends on this; it may grow.
  public enum Code: Hashable, Sendable {
    /// The task was cancelled.
    case cancelled
    /// The client was closed.
    case closed
    /// The request cannot be sent as it is: its target, fields or address.
    case invalidRequest
    /// Too many requests wait already.
    case overloaded
    /// The name has no address.
    case lookup
    /// All addresses of the name are of a kind that is not allowed (`AddressPolicy`).
    case addressRefused
    /// No connection could be made.
    case connect
    /// TLS failed: above all, the certificate is not trusted, not for this host, or not valid now.
    case tls
    /// The connect timeout or the deadline has passed, or a WebSocket gave no sign of life.
    case timedOut
    /// The connection ended before the answer was whole.
    case connectionLost
    /// The answer breaks HTTP or WebSocket.
    case malformedAnswer
    /// A limit on the head, the body or a message is passed.
    case tooLarge
    /// A redirect, which is never followed: `status` says which.
    case redirected
    /// The server refuses to open a WebSocket: `status` says how.
    case upgradeRefused
  }

  /// The kind of failure.
  public let code: Code
  /// One line for people: lower case, the step that failed and why.
  public let reason: String
  /// The status of the answer, where there was one.
  public let status: Int?

  init(_ code: Code, _ reason: String, status: Int? = nil) {
    self.code = code
    self.reason = reason
    self.status = status
  }

  /// The reason.
  public var description: String { reason }
}
