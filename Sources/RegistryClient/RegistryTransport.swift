/// A request to a registrar (docs/spec/protocol.md §8).
public struct RegistryRequest: Sendable, Hashable {
  /// What is asked for.
  public enum Method: String, Sendable, Hashable {
    /// Reads.
    case get = "GET"
    /// Submits, or reads with a body.
    case post = "POST"
  }

  /// The method.
  public var method: Method
  /// Path and query, from the root of the registrar: `/apps/chat.example/resolve`.
  public var target: String
  /// The body, JSON; nil for none.
  public var body: [UInt8]?
  /// Headers beside those that the transport adds (`Host`, `Content-Length`, `Content-Type: application/json`).
  public var headers: [(name: String, value: String)]
  /// Bytes of body after which the answer is ``TransportFailure/tooLarge``.
  public var maxAnswerBytes: Int
  /// How long the whole exchange may take before it is ``TransportFailure/timedOut``.
  public var timeout: Duration

  /// A request.
  public init(
    _ method: Method, _ target: String, body: [UInt8]? = nil, headers: [(name: String, value: String)] = [],
    maxAnswerBytes: Int, timeout: Duration
  ) {
    self.method = method
    self.target = target
    self.body = body
    self.headers = headers
    self.maxAnswerBytes = maxAnswerBytes
    self.timeout = timeout
  }

  /// Whether both ask the same in the same way.
  public static func == (left: RegistryRequest, right: RegistryRequest) -> Bool {
    left.method == right.method && left.target == right.target && left.body == right.body
      && left.maxAnswerBytes == right.maxAnswerBytes && left.timeout == right.timeout
      && left.headers.elementsEqual(right.headers) { $0 == $1 }
  }

  /// Feeds what tells most requests apart.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(method)
    hasher.combine(target)
    hasher.combine(body)
  }
}

/// What a registrar answered.
public struct RegistryAnswer: Sendable {
  /// The HTTP status.
  public var status: Int
  /// The headers as they came.
  public var headers: [(name: String, value: String)]
  /// The whole body.
  public var body: [UInt8]

  /// An answer.
  public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The first header of a name, which is compared without regard to case.
  public func header(_ name: String) -> String? {
    let name = name.lowercased()
    return headers.first { $0.name.lowercased() == name }?.value
  }
}

/// Why there is no answer.
public enum TransportFailure: Error, Sendable, Hashable {
  /// The registrar cannot be reached, or went away; the system's words.
  case unreachable(String)
  /// No whole answer in time.
  case timedOut
  /// The answer is larger than was allowed.
  case tooLarge
  /// What came is no HTTP or WebSocket that can be understood.
  case malformed(String)
  /// The task that asked was cancelled.
  case cancelled
}

/// Carries requests to one registrar and answers back.
///
/// Duties: an answer is whole or a failure; no more than `maxAnswerBytes` of a body are ever held; the timeout is kept
/// even against a peer that sends a byte a second; redirects are not followed; when the task that asks is cancelled,
/// the exchange ends at once and is ``TransportFailure/cancelled``.
public protocol RegistryTransport: Sendable {
  /// Asks once, without trying again.
  func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer

  /// Opens the event feed.
  ///
  /// - Parameters:
  ///   - target: Path and query.
  ///   - maxFrameBytes: A longer frame ends the feed with ``TransportFailure/tooLarge``.
  func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed
}

/// What comes from an event feed.
public enum RegistryFeedEvent: Sendable, Hashable {
  /// A whole text frame.
  case text([UInt8])
  /// The registrar has closed; its code, if it gave one. Nothing more comes.
  case closed(UInt16?)
}

/// An open event feed; one task at a time reads.
public protocol RegistryFeed: Sendable {
  /// The next event. A cancelled task gets ``TransportFailure/cancelled`` at once.
  func next() async throws(TransportFailure) -> RegistryFeedEvent
  /// Sends a text frame.
  func send(_ text: [UInt8]) async throws(TransportFailure)
  /// Closes; who reads gets ``RegistryFeedEvent/closed(_:)``.
  func close() async
}
