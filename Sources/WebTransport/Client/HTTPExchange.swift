import HTTPFormat

/// One request and what becomes of it. It is finished exactly once.
///
/// `@unchecked Sendable`: everything that changes belongs to the loop's thread.
final class HTTPExchange: @unchecked Sendable {
  typealias Outcome = Result<WebClientResponse, WebClientError>

  /// Where the exchange is, so that it can be taken away from there.
  enum Place {
    case nowhere
    case queue(OriginPool)
    case connection(HTTPClientConnection)
    case finished
  }

  let origin: WebOrigin
  /// The request, as it is sent.
  let bytes: [UInt8]
  let isHead: Bool
  let isRepeatable: Bool
  private let answerBytes: Int?
  private let deadline: Duration?
  var place = Place.nowhere
  /// Whether it was sent before, over a kept connection that had ended.
  var wasRepeated = false
  private var timer: EventLoop.Timer?
  private var completion: (@Sendable (Outcome) -> Void)?
  private var isCancelled = false

  init(_ request: WebClientRequest) throws(WebClientError) {
    guard RequestSerializer.isValidTarget(request.target) else {
      throw WebClientError(.invalidRequest, "the request target is not a plain path and query")
    }
    for name in HTTPExchange.ownFields where request.fields.value(of: name) != nil {
      throw WebClientError(.invalidRequest, "the field \(name) is written by the client alone")
    }
    origin = request.origin
    isHead = request.method == .head
    isRepeatable = request.isRepeatable
    answerBytes = request.answerBytes
    deadline = request.deadline
    bytes = RequestSerializer.bytes(
      request.method, target: request.target, host: request.origin.hostField, fields: request.fields,
      body: request.body)
  }

  /// Fields that change what the exchange is; `HTTPFields` refuses those of the framing.
  static let ownFields: [StaticString] = ["host", "upgrade", "expect", "te"]

  /// Begins to wait for the answer; false when the task was cancelled before.
  func begin(_ engine: WebClientEngine, _ completion: @escaping @Sendable (Outcome) -> Void) -> Bool {
    guard !isCancelled else {
      completion(.failure(.cancelled))
      return false
    }
    self.completion = completion
    let deadline = deadline ?? engine.configuration.deadline
    timer = engine.loop.schedule(after: deadline) { [weak self] in
      guard let self else { return }
      withdraw(WebClientError(.timedOut, "no whole answer from \(origin) within \(deadline)"))
    }
    return true
  }

  /// How much of the answer is read.
  func responseLimits(_ configuration: WebClientConfiguration) -> ResponseLimits {
    let usual = configuration.response
    guard let answerBytes else { return usual }
    return ResponseLimits(headBytes: usual.headBytes, fieldCount: usual.fieldCount, bodyBytes: answerBytes)
  }

  func cancel() {
    isCancelled = true
    withdraw(.cancelled)
  }

  /// Ends the exchange wherever it is.
  private func withdraw(_ error: WebClientError) {
    let place = place
    guard finish(.failure(error)) else { return }
    switch place {
    case .queue(let pool): pool.withdraw(self)
    case .connection(let connection): connection.abandon()
    case .nowhere, .finished: break
    }
  }

  /// Gives the outcome to whoever waits; false when that has been done before.
  @discardableResult
  func finish(_ outcome: Outcome) -> Bool {
    guard let completion = completion.take() else { return false }
    timer?.cancel()
    timer = nil
    place = .finished
    completion(outcome)
    return true
  }
}

extension WebClientError {
  static let cancelled = WebClientError(.cancelled, "the request was cancelled")
}
