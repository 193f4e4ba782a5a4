public import HTTPFormat

/// Whose certificates are believed.
public enum TLSTrust: Hashable, Sendable {
  /// The authorities of the system (on Debian, the package ca-certificates).
  case system
  /// The certificates of a PEM file alone.
  case authorities(path: String)
}

/// How a `WebClient` behaves.
public struct WebClientConfiguration: Hashable, Sendable {
  /// Whose certificates are believed. They are always checked, and the host name too.
  public var trust = TLSTrust.system
  /// Which addresses are connected to.
  public var addresses = AddressPolicy.any
  /// Longest time for looking up the name, TCP and TLS together.
  public var connectTimeout = Duration.seconds(10)
  /// Longest time from the request to the end of the answer, waiting for a connection included.
  public var deadline = Duration.seconds(30)
  /// How much of an answer is read.
  public var response = ResponseLimits()
  /// Most connections to one origin. Requests beyond wait.
  public var connectionsPerOrigin = 8
  /// Most requests that wait for a connection to one origin; those beyond fail as `overloaded`.
  public var waitingPerOrigin = 4096
  /// How long a connection is kept without use. Shorter than servers wait, so that they seldom close first.
  public var idleTimeout = Duration.seconds(20)

  /// The defaults.
  public init() {}
}

/// A request.
public struct WebClientRequest: Hashable, Sendable {
  /// The method.
  public var method: HTTPMethod
  /// Whom to ask.
  public var origin: WebOrigin
  /// Path and query, percent-encoded: printable ASCII without spaces and `#`, beginning with a slash.
  public var target: String
  /// Everything but `Host`, `Connection`, lengths and upgrades, which the client writes.
  public var fields: HTTPFields
  /// The content.
  public var body: [UInt8]
  /// Whether the request may be sent again when a kept connection turns out to be closed: true for GET, HEAD and OPTIONS,
  /// and for what the caller knows to be safe.
  public var isRepeatable: Bool
  /// Largest body of the answer in bytes; nil for what the client's configuration says.
  public var answerBytes: Int?
  /// Longest time for all of it; nil for what the client's configuration says.
  public var deadline: Duration?

  /// - Parameter isRepeatable: Nil for what the method says.
  public init(
    _ method: HTTPMethod, _ origin: WebOrigin, target: String, fields: HTTPFields = HTTPFields(), body: [UInt8] = [],
    isRepeatable: Bool? = nil
  ) {
    self.method = method
    self.origin = origin
    self.target = target
    self.fields = fields
    self.body = body
    self.isRepeatable = isRepeatable ?? (method == .get || method == .head || method == .options)
  }
}

/// A whole answer, of any status but redirects.
public struct WebClientResponse: Sendable {
  /// Status and fields.
  public let head: ResponseHead
  /// The content, without chunks.
  public let body: [UInt8]

  /// 200…299, 304, or 400…599.
  public var status: Int { head.status }
}
