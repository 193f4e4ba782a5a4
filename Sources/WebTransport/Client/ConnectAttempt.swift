/// The making of a connection: look-up, check of the addresses, TCP and TLS, all within the connect timeout.
///
/// On the loop only. It keeps itself alive until it is done.
final class ConnectAttempt: ClientStreamOwner {
  typealias Outcome = Result<ClientStream, WebClientError>

  private let engine: WebClientEngine
  private let origin: WebOrigin
  private var stream: ClientStream?
  private var timer: EventLoop.Timer?
  private var completion: ((Outcome) -> Void)?

  init(_ engine: WebClientEngine, _ origin: WebOrigin) {
    self.engine = engine
    self.origin = origin
  }

  /// Begins. `completion` is called once unless the attempt is cancelled, and never within this call; the stream then
  /// needs its owner.
  func start(_ completion: @escaping (Outcome) -> Void) {
    self.completion = completion
    let timeout = engine.configuration.connectTimeout
    timer = engine.loop.schedule(after: timeout) { [self] in
      finish(.failure(WebClientError(.timedOut, "no connection to \(origin) within \(timeout)")))
    }
    engine.lookup.addresses(of: origin) { [weak self] outcome in
      guard let self, self.completion != nil else { return }
      do throws(WebClientError) {
        try connect(outcome.get())
      } catch {
        engine.loop.atEndOfTurn { [self] in finish(.failure(error)) }
      }
    }
  }

  func cancel() {
    completion = nil
    timer?.cancel()
    timer = nil
    stream?.close()
    stream = nil
  }

  private func connect(_ addresses: [SocketAddress]) throws(WebClientError) {
    let allowed = addresses.filter { engine.configuration.addresses.allows($0) }
    guard !allowed.isEmpty else {
      let refused = addresses.map(\.text).joined(separator: ", ")
      throw WebClientError(.addressRefused, "\(origin.host) has no address on the open Internet: \(refused)")
    }
    let tls = origin.isSecure ? try engine.tlsContext() : nil
    let stream = ClientStream(engine.loop, host: origin.host, addresses: allowed, tls: tls, owner: self)
    self.stream = stream
    stream.start()
  }

  func streamOpened() {
    guard let stream = stream.take() else { return }
    finish(.success(stream))
  }

  // Nothing is read before `streamOpened`.
  func streamReceived(_ bytes: UnsafeBufferPointer<UInt8>) {}

  func streamEnded(_ error: WebClientError?) {
    finish(.failure(error ?? .unexpectedEnd(origin)))
  }

  private func finish(_ outcome: Outcome) {
    guard let completion = completion.take() else { return }
    cancel()
    completion(outcome)
  }
}
