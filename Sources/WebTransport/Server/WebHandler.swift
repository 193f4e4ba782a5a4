public import HTTPFormat

/// What a service does with requests. Called on the loop of the connection.
public protocol WebHandler: Sendable {
  /// Most bytes of body that are taken for this request. Asked when the head is complete, so that a larger one is
  /// refused before it is sent.
  func bodyLimit(for head: RequestHead) -> Int

  /// Answers a request.
  ///
  /// It starts on the connection's loop, inside the event that brought the request: an answer that needs no waiting goes
  /// out at once. Cancellation says that the client has gone; what is returned then is not sent, or to nobody. A handler
  /// that has begun a write goes on with it.
  func respond(to request: WebRequest) async -> WebAnswer

  /// What answers requests on a loop that need no waiting; nil for none. Called on the loop, once for each.
  func immediateHandler(on loop: EventLoop) -> (any ImmediateHandler)?

  /// The answer to what is no request, or one that cannot be taken in. The connection closes after it.
  func response(to fault: ConnectionFault) -> HTTPResponse
}

extension WebHandler {
  /// None.
  public func immediateHandler(on loop: EventLoop) -> (any ImmediateHandler)? { nil }
}

/// Answers what is at hand, within the event that brought the request: no task is made for it. It lives on one loop.
public protocol ImmediateHandler: AnyObject {
  /// Hears of a request that has come together with others, before any of them is answered: it may begin to ask for the
  /// memory that the answer takes. Not called for every request.
  func prepare(_ head: borrowing RequestHead)

  /// Says that `prepare` was called for all of them, and that the answers follow.
  func prepared()

  /// Appends the answer to `output`, and gives its status; nil, with nothing appended, for what the `WebHandler` is to
  /// answer.
  func answer(_ head: borrowing RequestHead, body: [UInt8], to output: inout ResponseOutput) -> Int?

  /// Takes a request on that ``answer(_:body:to:)`` gave nil for, to answer it later on this loop, without a task; nil
  /// for what the `WebHandler` is to answer.
  ///
  /// - Returns: What is called at once, when the request counts as waiting, with the place for its answer.
  func begin(_ head: borrowing RequestHead) -> ((PendingAnswer) -> Void)?
}

extension ImmediateHandler {
  /// Nil.
  public func begin(_ head: borrowing RequestHead) -> ((PendingAnswer) -> Void)? { nil }
}

/// Where the answer to a request goes that an ``ImmediateHandler`` has taken on. The request waits until it is used.
///
/// It is used on the loop of the connection, once. A second use does nothing, and so does one after the client has gone.
public struct PendingAnswer: Sendable {
  let connection: HTTPConnection
  /// Of the requests that this connection had waiting.
  let number: UInt64

  /// Answers.
  ///
  /// - Parameter append: As ``ImmediateHandler/answer(_:body:to:)``: appends the answer and gives its status, or gives nil
  ///   for what the `WebHandler` is to answer after all. Not called where nobody waits any more.
  public func give(_ append: (borrowing RequestHead, inout ResponseOutput) -> Int?) {
    connection.answer(number, append)
  }

  /// Answers with a response that `make` gives for the request. Not called where nobody waits any more.
  public func give(_ make: (borrowing RequestHead) -> HTTPResponse) {
    connection.answer(number, make)
  }
}

extension ImmediateHandler {
  /// Nothing.
  public func prepare(_ head: borrowing RequestHead) {}
  /// Nothing.
  public func prepared() {}
}

/// A whole request.
public struct WebRequest: Sendable {
  /// The head.
  public let head: RequestHead
  /// The body; empty without one.
  public let body: [UInt8]
  /// The address of the other end, without its port, IPv4 always in its own form.
  public let peerAddress: String
  /// The loop of the connection.
  public let loop: EventLoop
}

/// What a handler answers with.
public enum WebAnswer: Sendable {
  /// An ordinary response, refused handshakes included.
  case response(HTTPResponse)
  /// The connection becomes a WebSocket: the fields, such as those of CORS, go into the 101 response.
  case webSocket(WebSocketUpgrade, fields: HTTPFields, any WebSocketHandler)
}

/// Why a connection is answered without its request being handled.
public enum ConnectionFault: Hashable, Sendable {
  /// The head is none, or is refused.
  case framing(FramingFault)
  /// The declared body is larger than the limit, in bytes.
  case bodyTooLarge(limit: Int)
  /// No more connections are taken, in all or from this address.
  case tooManyConnections
}

/// One answered request, for logs and metrics.
public struct WebExchange: Sendable {
  /// Nil when there was no head that could be read.
  public let head: RequestHead?
  /// Bytes of body received.
  public let bodyBytes: Int
  /// The status sent: 101 for a WebSocket.
  public let status: Int
  /// Bytes of the whole response, handed to the connection.
  public let responseBytes: Int
  /// From the end of the request to the answer.
  public let duration: Duration
  /// As in `WebRequest`.
  public let peerAddress: String
}
