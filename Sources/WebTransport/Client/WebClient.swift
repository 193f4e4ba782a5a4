import Synchronization

/// An HTTP/1.1 client on an event loop: it asks for whole answers within limits, over connections that it keeps.
///
/// Redirects are not followed, nothing is compressed or cached, no cookies are kept and no proxy is used. Certificates and
/// host names are always checked.
public final class WebClient: Sendable {
  let engine: WebClientEngine

  /// A client whose connections live on `loop`, which must run until the client was closed.
  public init(on loop: EventLoop, configuration: WebClientConfiguration = WebClientConfiguration()) {
    engine = WebClientEngine(loop, configuration)
  }

  /// The loop of the client's connections.
  public var loop: EventLoop { engine.loop }

  /// Sends a request and returns the whole answer.
  ///
  /// A request over a kept connection that ends before any byte of an answer is sent once more if that is allowed. If the
  /// calling task is cancelled, the request's connection is closed and the call ends at once.
  public func response(to request: WebClientRequest) async throws(WebClientError) -> WebClientResponse {
    let exchange = try HTTPExchange(request)
    let engine = engine
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<HTTPExchange.Outcome, Never>) in
        engine.perform { isClosed in
          guard !isClosed else {
            return continuation.resume(returning: .failure(.clientClosed))
          }
          engine.start(exchange) { continuation.resume(returning: $0) }
        }
      }
    } onCancel: {
      engine.loop.execute { exchange.cancel() }
    }
    return try outcome.get()
  }

  /// Ends all requests and WebSockets, which fail as `closed`, and all connections.
  public func close() async {
    await engine.close()
  }
}

extension WebClientError {
  static let clientClosed = WebClientError(.closed, "the client was closed")
}

/// What a client is on its loop.
///
/// `@unchecked Sendable`: `isClosed` is behind a lock; everything else that changes belongs to the loop's thread.
final class WebClientEngine: @unchecked Sendable {
  private let isClosed = Mutex(false)
  let loop: EventLoop
  let configuration: WebClientConfiguration
  let lookup: NameLookup
  private var pools: [WebOrigin: OriginPool] = [:]
  private var webSockets: [ObjectIdentifier: WebSocketLink] = [:]
  private var tls: TLSContext?

  init(_ loop: EventLoop, _ configuration: WebClientConfiguration) {
    self.loop = loop
    self.configuration = configuration
    lookup = NameLookup(on: loop)
  }

  /// Made when it is first needed: it reads all the trusted certificates.
  func tlsContext() throws(WebClientError) -> TLSContext {
    if let tls { return tls }
    let made = try TLSContext(configuration.trust)
    tls = made
    return made
  }

  func start(_ exchange: HTTPExchange, _ completion: @escaping @Sendable (HTTPExchange.Outcome) -> Void) {
    guard exchange.begin(self, completion) else { return }
    let pool = pools[exchange.origin] ?? OriginPool(exchange.origin, self)
    pools[exchange.origin] = pool
    pool.start(exchange)
  }

  /// Drops a pool that has nothing left when all of this turn is done, which may still use it.
  func forgetIfEmpty(_ pool: OriginPool) {
    guard pool.isEmpty else { return }
    loop.atEndOfTurn { [self] in
      if pool.isEmpty, pools[pool.origin] === pool { pools[pool.origin] = nil }
    }
  }

  /// Keeps a WebSocket until `remove`.
  func insert(_ link: WebSocketLink) { webSockets[ObjectIdentifier(link)] = link }

  func remove(_ link: WebSocketLink) { webSockets[ObjectIdentifier(link)] = nil }

  /// Runs `work` on the loop, or here when the client is closed: then the loop may have ended.
  func perform(_ work: @escaping @Sendable (_ isClosed: Bool) -> Void) {
    let isDone = isClosed.withLock { isClosed in
      // Under the lock, so that it comes to the loop before the end of `close` does.
      if !isClosed { loop.execute { work(false) } }
      return isClosed
    }
    if isDone { work(true) }
  }

  func close() async {
    let isFirst = isClosed.withLock { isClosed in
      defer { isClosed = true }
      return !isClosed
    }
    guard isFirst else { return }
    await withCheckedContinuation { continuation in
      loop.execute { [self] in
        for pool in pools.values { pool.close(.clientClosed) }
        pools = [:]
        for link in webSockets.values { link.end(.clientClosed) }
        webSockets = [:]
        continuation.resume()
      }
    }
  }
}
