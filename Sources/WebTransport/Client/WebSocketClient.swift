public import HTTPFormat
import Synchronization

/// How much a WebSocket takes, and how long it waits.
public struct WebSocketClientLimits: Hashable, Sendable {
  /// Longest message, in bytes of all its frames. The server's announcement of a longer one ends the WebSocket (1009).
  public var messageBytes = 1_048_576
  /// Bytes of messages that wait to be read. Beyond them nothing more is received, so that the server has to wait; one
  /// read (64 KiB) and one message come on top.
  public var bufferedBytes = 4_194_304
  /// Bytes that wait to be sent. Beyond them `send` fails.
  public var unsentBytes = 1_048_576
  /// Silence of the server after which it is asked for a sign of life.
  public var pingInterval = Duration.seconds(20)
  /// How long that sign may take before the WebSocket counts as lost.
  public var pongDeadline = Duration.seconds(20)
  /// How long the server may take to answer a closing frame.
  public var closingDeadline = Duration.seconds(5)

  /// The defaults.
  public init() {}
}

/// How a WebSocket was closed.
public struct WebSocketClosure: Hashable, Sendable {
  /// The code of the first closing frame; nil when it had none.
  public let code: UInt16?
  /// The words that came with it; the server's are not to be trusted.
  public let reason: String
  /// Whether the server has closed.
  public let isByServer: Bool
}

extension WebClient {
  /// Opens a WebSocket, over a connection of its own, without subprotocol and extensions.
  ///
  /// Everything from the look-up to the server's consent must be done within the client's deadline. Fails as
  /// `upgradeRefused` or `redirected` with the status when the server answers otherwise. Closing the client ends it.
  ///
  /// - Parameters:
  ///   - target: Path and query, as in `WebClientRequest`.
  ///   - fields: Everything but what belongs to the handshake.
  public func openWebSocket(
    _ origin: WebOrigin, target: String, fields: HTTPFields = HTTPFields(),
    limits: WebSocketClientLimits = WebSocketClientLimits()
  ) async throws(WebClientError) -> WebSocketClient {
    let link = WebSocketLink(engine, try WebSocketOpening(origin, target: target, fields: fields), limits)
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, WebClientError>, Never>) in
        link.engine.perform { isClosed in
          guard !isClosed else { return continuation.resume(returning: .failure(.clientClosed)) }
          link.open { continuation.resume(returning: $0) }
        }
      }
    } onCancel: {
      link.engine.loop.execute { link.end(.cancelled) }
    }
    try outcome.get()
    return WebSocketClient(link)
  }
}

/// A WebSocket to a server, for text messages. It is closed when nobody holds it any more.
public final class WebSocketClient: Sendable {
  private let link: WebSocketLink

  fileprivate init(_ link: WebSocketLink) {
    self.link = link
  }

  deinit {
    let link = link
    link.engine.loop.execute { link.abandon() }
  }

  /// How the WebSocket was closed; nil while it is open, and when it broke off.
  public var closure: WebSocketClosure? { link.closure.withLock { $0 } }

  /// The next text message, valid UTF-8; nil once either side has closed and all messages that came before the server's
  /// closing frame are read. Throws when the WebSocket broke off, behind the last message.
  ///
  /// Messages are given out in order, to whoever asked first. A task that is cancelled gets `cancelled` at once; the
  /// WebSocket stays open, and no message is lost.
  public func next() async throws(WebClientError) -> [UInt8]? {
    let reading = WebSocketReading()
    let link = link
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<WebSocketReading.Outcome, Never>) in
        link.engine.perform { isClosed in
          reading.begin(continuation, on: isClosed ? nil : link)
        }
      }
    } onCancel: {
      link.engine.loop.execute { reading.cancel(on: link) }
    }
    return try outcome.get()
  }

  /// The messages as a sequence, which ends where `next()` says nil.
  public var messages: Messages { Messages(client: self) }

  /// Sends a text message, after those sent before. Fails as `overloaded`, and sends nothing, when the server does not
  /// take what it was sent before, and as `closed` behind the end.
  ///
  /// - Parameter text: Valid UTF-8, which the server checks.
  public func send(text: [UInt8]) async throws(WebClientError) {
    let link = link
    let outcome = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Void, WebClientError>, Never>) in
      link.engine.perform { isClosed in
        continuation.resume(returning: isClosed ? .failure(.clientClosed) : link.send(text: text))
      }
    }
    try outcome.get()
  }

  /// Closes the WebSocket; messages that were not read are dropped, and who reads gets nil. Returns when the server has
  /// answered, or has taken too long.
  ///
  /// - Parameters:
  ///   - code: 1000, 1001, or 3000…4999 (RFC 6455 §7.4).
  ///   - reason: At most 123 bytes; what is longer is cut.
  public func close(code: UInt16 = 1000, reason: String = "") async {
    let link = link
    await withCheckedContinuation { continuation in
      link.engine.perform { isClosed in
        if isClosed { continuation.resume() } else { link.close(code: code, reason: reason) { continuation.resume() } }
      }
    }
  }

  /// The text messages of a WebSocket.
  public struct Messages: AsyncSequence, AsyncIteratorProtocol, Sendable {
    fileprivate let client: WebSocketClient

    /// Itself: there is one line of messages, however often it is asked for.
    public func makeAsyncIterator() -> Messages { self }

    /// See `WebSocketClient.next()`.
    public mutating func next() async throws(WebClientError) -> [UInt8]? { try await client.next() }

    /// See `WebSocketClient.next()`.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws(WebClientError) -> [UInt8]? {
      try await client.next()
    }
  }
}

/// A call that waits for a message.
///
/// `@unchecked Sendable`: it belongs to the loop's thread, or, once the client is closed, to the one call of `begin`.
final class WebSocketReading: @unchecked Sendable {
  typealias Outcome = Result<[UInt8]?, WebClientError>

  private var continuation: CheckedContinuation<Outcome, Never>?
  private var isCancelled = false

  /// - Parameter link: Nil when the client is closed.
  func begin(_ continuation: CheckedContinuation<Outcome, Never>, on link: WebSocketLink?) {
    guard let link else { return continuation.resume(returning: .failure(.clientClosed)) }
    self.continuation = continuation
    if isCancelled { finish(.failure(.cancelled)) } else { link.read(self) }
  }

  func cancel(on link: WebSocketLink) {
    isCancelled = true
    link.cancel(self)
  }

  /// Gives the outcome to whoever waits, once.
  func finish(_ outcome: Outcome) { continuation.take()?.resume(returning: outcome) }
}
