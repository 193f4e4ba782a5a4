/// The connections to one origin, and the exchanges that wait for one. On the loop only.
final class OriginPool {
  let origin: WebOrigin
  let engine: WebClientEngine
  /// All connections, idle and busy and those that are being made.
  private var connections = PlacedList<HTTPClientConnection>()
  /// Connections without an exchange, the last used last: the others may time out.
  private var idle: [HTTPClientConnection] = []
  private var connecting: [HTTPClientConnection] = []
  private var waiting: [HTTPExchange] = []

  init(_ origin: WebOrigin, _ engine: WebClientEngine) {
    self.origin = origin
    self.engine = engine
  }

  var loop: EventLoop { engine.loop }
  var configuration: WebClientConfiguration { engine.configuration }

  /// Nothing is left of it.
  var isEmpty: Bool { connections.all.isEmpty && waiting.isEmpty }

  // MARK: - Exchanges

  /// Sends the request, now or when a connection is free.
  func start(_ exchange: HTTPExchange) {
    // A request that cannot be repeated does not go where the server is known to have hung up.
    while let connection = idle.popLast() {
      if connection.isUsable { return connection.begin(exchange) }
      connection.abandon()
    }
    enqueue(exchange)
  }

  /// Sends a request again after its kept connection has ended: not over others that were idle, since they may have
  /// ended too.
  func repeatExchange(_ exchange: HTTPExchange, after connection: HTTPClientConnection) {
    exchange.place = .queue(self)
    waiting.insert(exchange, at: 0)
    for other in idle { other.abandon() }
    connectionEnded(connection)
  }

  private func enqueue(_ exchange: HTTPExchange) {
    guard waiting.count < configuration.waitingPerOrigin else {
      exchange.finish(.failure(WebClientError(.overloaded, "too many requests wait for \(origin)")))
      return engine.forgetIfEmpty(self)
    }
    exchange.place = .queue(self)
    waiting.append(exchange)
    connectIfNeeded()
  }

  func withdraw(_ exchange: HTTPExchange) {
    waiting.removeAll { $0 === exchange }
    while connecting.count > waiting.count, let surplus = connecting.popLast() { surplus.abandon() }
    engine.forgetIfEmpty(self)
  }

  /// Ends everything.
  func close(_ error: WebClientError) {
    let exchanges = waiting
    waiting = []
    for exchange in exchanges { exchange.finish(.failure(error)) }
    for connection in connections.all { connection.close(error) }
    connections = PlacedList()
    idle = []
    connecting = []
  }

  // MARK: - Connections

  private func connectIfNeeded() {
    while connecting.count < waiting.count, connections.all.count < configuration.connectionsPerOrigin {
      let connection = HTTPClientConnection(self)
      connections.insert(connection)
      connecting.append(connection)
      connection.open()
    }
  }

  /// A connection stands, or has finished an exchange.
  func connectionReady(_ connection: HTTPClientConnection) {
    connecting.removeAll { $0 === connection }
    if waiting.isEmpty {
      idle.append(connection)
      connection.rest()
    } else {
      connection.begin(waiting.removeFirst())
    }
  }

  /// A connection could not be made. If there are others, they serve what waits, and no further one is tried until one
  /// ends or another request comes; if not, all that waits fails.
  func connectionFailed(_ connection: HTTPClientConnection, _ error: WebClientError) {
    remove(connection)
    guard connections.all.isEmpty else { return }
    let failed = waiting
    waiting = []
    for exchange in failed { exchange.finish(.failure(error)) }
    engine.forgetIfEmpty(self)
  }

  /// A connection is over, and its exchange too if it had one.
  func connectionEnded(_ connection: HTTPClientConnection) {
    remove(connection)
    connectIfNeeded()
    engine.forgetIfEmpty(self)
  }

  private func remove(_ connection: HTTPClientConnection) {
    idle.removeAll { $0 === connection }
    connecting.removeAll { $0 === connection }
    connections.remove(connection)
  }
}
