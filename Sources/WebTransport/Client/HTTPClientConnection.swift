import HTTPFormat

/// A connection of an origin's pool: one exchange at a time, and idle in between.
///
/// Requests are not pipelined: an answer that goes wrong would take all those behind it along, and a slow one hold them up.
final class HTTPClientConnection: ClientStreamOwner, Placed {
  private let pool: OriginPool
  private var attempt: ConnectAttempt?
  private var stream: ClientStream?
  private var exchange: HTTPExchange?
  private var reader = ResponseReader()
  private var hasAnswerBegun = false
  private var idleTimer: EventLoop.Timer?
  /// Whether it was idle before: then the server may have ended it meanwhile.
  private var isKept = false
  /// Index in the pool's list; -1 outside.
  var place = -1

  init(_ pool: OriginPool) {
    self.pool = pool
  }

  // MARK: - Beginning and end

  /// Connects; the pool hears of the result.
  func open() {
    let attempt = ConnectAttempt(pool.engine, pool.origin)
    self.attempt = attempt
    attempt.start { [self] outcome in
      self.attempt = nil
      switch outcome {
      case .success(let stream):
        self.stream = stream
        stream.owner = self
        pool.connectionReady(self)
      case .failure(let error): pool.connectionFailed(self, error)
      }
    }
  }

  func streamOpened() {}

  /// Ends the connection, and its exchange with an error.
  func close(_ error: WebClientError) {
    let exchange = exchange
    close()
    exchange?.finish(.failure(error))
  }

  /// Ends the connection without a word to anyone.
  private func close() {
    attempt?.cancel()
    attempt = nil
    idleTimer?.cancel()
    idleTimer = nil
    // An exchange that is still here has no whole answer.
    if exchange == nil { stream?.close() } else { stream?.abort() }
    stream = nil
    exchange = nil
  }

  // MARK: - Exchanges

  /// Whether the connection can be used: nothing has come since the last answer.
  var isUsable: Bool { stream.map { !$0.hasNews } ?? false }

  func begin(_ exchange: HTTPExchange) {
    idleTimer?.cancel()
    idleTimer = nil
    self.exchange = exchange
    exchange.place = .connection(self)
    hasAnswerBegun = false
    let limits = exchange.responseLimits(pool.configuration)
    reader = ResponseReader(limits: limits, isHead: exchange.isHead)
    stream?.send(exchange.bytes)
  }

  /// The exchange is over, and its answer not wanted any more: only the end of the connection stops the server.
  func abandon() {
    close()
    pool.connectionEnded(self)
  }

  /// Waits for its next use, not for ever.
  func rest() {
    isKept = true
    idleTimer = pool.loop.schedule(after: pool.configuration.idleTimeout) { [weak self] in self?.abandon() }
  }

  func streamReceived(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard exchange != nil else { return abandon() }
    hasAnswerBegun = true
    do throws(ResponseFault) {
      let used = try reader.read(bytes.span)
      if reader.isComplete { complete(isClean: used == bytes.count) }
    } catch {
      finish(.failure(WebClientError(error, origin: pool.origin)))
    }
  }

  func streamEnded(_ error: WebClientError?) {
    guard let exchange else { return abandon() }
    if !hasAnswerBegun, isKept, exchange.isRepeatable, !exchange.wasRepeated {
      exchange.wasRepeated = true
      close()
      return pool.repeatExchange(exchange, after: self)
    }
    do throws(ResponseFault) {
      guard error == nil else { throw .truncated }
      try reader.end()
      complete(isClean: false)
    } catch {
      finish(.failure(failure(of: error)))
    }
  }

  private func failure(of fault: ResponseFault) -> WebClientError {
    guard hasAnswerBegun else { return .unexpectedEnd(pool.origin) }
    return WebClientError(fault, origin: pool.origin)
  }

  private func complete(isClean: Bool) {
    guard let head = reader.head else { return }
    let keeps = isClean && head.keepAlive && stream?.unsentByteCount == 0
    let outcome = WebClientResponse.outcome(head, reader.body, origin: pool.origin)
    reader = ResponseReader()
    guard keeps else { return finish(outcome) }
    isKept = true
    let exchange = exchange.take()
    exchange?.finish(outcome)
    pool.connectionReady(self)
  }

  /// Ends exchange and connection.
  private func finish(_ outcome: HTTPExchange.Outcome) {
    let exchange = exchange
    if case .success = outcome { self.exchange = nil }
    close()
    pool.connectionEnded(self)
    exchange?.finish(outcome)
  }
}

extension WebClientResponse {
  /// The answer, or why it is none.
  static func outcome(_ head: ResponseHead, _ body: [UInt8], origin: WebOrigin) -> HTTPExchange.Outcome {
    if (300..<400).contains(head.status), head.status != 304 {
      let place = head.value(of: "location").map { " to \($0.prefix(256))" } ?? ""
      let reason = "\(origin) answered with a redirect\(place); use that address if it is to be trusted"
      return .failure(WebClientError(.redirected, reason, status: head.status))
    }
    if let coding = head.value(of: "content-encoding"), coding != "identity" {
      let reason = "\(origin) answered in a coding that was not asked for: \(coding.prefix(64))"
      return .failure(WebClientError(.malformedAnswer, reason, status: head.status))
    }
    return .success(WebClientResponse(head: head, body: body))
  }
}

extension WebClientError {
  init(_ fault: ResponseFault, origin: WebOrigin) {
    let code: Code =
      switch fault {
      case .truncated: .connectionLost
      case .bodyTooLarge, .headTooLarge: .tooLarge
      case .malformed: .malformedAnswer
      }
    self.init(code, "the answer of \(origin) cannot be used: \(fault.reason)")
  }

  static func unexpectedEnd(_ origin: WebOrigin) -> WebClientError {
    WebClientError(.connectionLost, "\(origin) ended the connection without an answer")
  }
}
