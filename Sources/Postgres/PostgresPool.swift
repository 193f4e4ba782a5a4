import Synchronization

/// Connections for reading, shared by everything on one loop.
///
/// Queries of one turn of the loop travel together, with one Sync, over the connection that has least to do. A query may
/// be sent a second time when a neighbour's failure or the death of a connection took it down: it must not change
/// anything. Transactions are ``PostgresSession``'s.
///
/// While the database is away, queries fail at once with ``PostgresError/Kind/unavailable``; a query that comes while a
/// connection is being made waits for it, within ``PostgresConfiguration/connectWait``. Connections come back by
/// themselves.
///
/// `@unchecked Sendable`: all state but `availability` belongs to the loop; every entry checks or goes there.
public final class PostgresPool: @unchecked Sendable {
  private let configuration: PostgresConfiguration
  private let loop: any PostgresLoop
  private let availability = Atomic<Bool>(false)
  private var keepers: [ConnectionKeeper] = []
  private var waiting = FIFO<Request>()
  private var isClosed = false
  /// The connection that this turn's queries go to, and how many have.
  private var ofTurn: (connection: Connection, count: Int)?
  private var endTurn: () -> Void = {}

  /// Queries of one turn that go to one connection: then another shares the work.
  private static let queriesPerTurn = 16

  /// A pool on a loop; it begins to connect at once. To be balanced by ``close()``.
  ///
  /// - Precondition: there is at least one connection.
  public init(configuration: PostgresConfiguration, loop: any PostgresLoop, connections: Int = 2) {
    precondition(connections > 0)
    self.configuration = configuration
    self.loop = loop
    loop.execute { [self] in
      endTurn = { [weak self] in self?.ofTurn = nil }
      keepers = (0..<connections).map { _ in makeKeeper() }
      for keeper in keepers { keeper.start() }
    }
  }

  /// Whether a query would be sent now. From any thread.
  public var isAvailable: Bool { availability.load(ordering: .relaxed) }

  /// Asks, and waits for the answer. From any thread; without a hop where the caller runs on the loop.
  ///
  /// - Throws: ``PostgresError``; `CancellationError` where the task has been cancelled (the answer is dropped).
  public nonisolated(nonsending) func query(
    _ statement: PreparedStatement, _ parameters: [PostgresValue] = []
  ) async throws -> PostgresRows {
    try Task.checkCancellation()
    let encoded = try EncodedParameters(parameters)
    let rows = try await withCheckedThrowingContinuation { continuation in
      post(Request(.prepared(statement, encoded), isRepeatable: true, completion: .continuation(continuation)))
    }
    try Task.checkCancellation()
    return rows
  }

  /// Asks without waiting, for what others wait for as well. From any thread; `completion` is called exactly once, with
  /// the answer on the loop, or at once if the parameters cannot be sent.
  public func ask(
    _ statement: PreparedStatement, _ parameters: [PostgresValue],
    completion: @escaping @Sendable (Result<PostgresRows, PostgresError>) -> Void
  ) {
    let encoded: EncodedParameters
    do throws(PostgresError) {
      encoded = try EncodedParameters(parameters)
    } catch {
      return completion(.failure(error))
    }
    post(Request(.prepared(statement, encoded), isRepeatable: true, completion: .callback(completion)))
  }

  private func post(_ request: Request) {
    if loop.isCurrent {
      submit(request)
    } else {
      loop.execute { self.submit(request) }
    }
  }

  /// Ends all connections; what waits, and what comes later, fails with ``PostgresError/Kind/unavailable``.
  public func close() {
    loop.execute { [self] in
      guard !isClosed else { return }
      isClosed = true
      for keeper in keepers { keeper.stop(Self.closed) }
      keepers = []
      failWaiting(Self.closed)
      availability.store(false, ordering: .relaxed)
    }
  }

  private static let closed = PostgresError(.unavailable, "the connections to postgres are closed")
  private static let overfull = PostgresError(.unavailable, "too many queries are waiting for postgres")

  private func makeKeeper() -> ConnectionKeeper {
    let keeper = ConnectionKeeper(configuration: configuration, loop: loop)
    keeper.onReady = { [weak self] connection in self?.becameReady(connection) }
    keeper.onLost = { [weak self] error, requests in
      for request in requests {
        if let self { self.repeatOnce(request, error) } else { request.failByLoss(error) }
      }
      self?.updateAvailability()
      self?.failWaitingIfHopeless(error)
    }
    keeper.onHopeless = { [weak self] error in self?.failWaitingIfHopeless(error) }
    return keeper
  }

  private func becameReady(_ connection: Connection) {
    connection.onAborted = { [weak self] request in
      if let self { self.repeatOnce(request, abortedByNeighbour) } else { request.fail(abortedByNeighbour) }
    }
    updateAvailability()
    // Each once: if the connection is of no use already, they wait again.
    for request in waiting.removeAll() { submit(request) }
  }

  private func submit(_ request: Request) {
    precondition(loop.isCurrent)
    if isClosed { return request.fail(Self.closed) }
    var best: Connection?
    var pending = waiting.count
    for keeper in keepers {
      guard let connection = keeper.connection else { continue }
      pending += connection.inFlight
      if connection.inFlight < best?.inFlight ?? .max { best = connection }
    }
    if pending >= configuration.maximumPending { return request.fail(Self.overfull) }
    if let best { return connection(orElse: best).send(request) }
    // Without any keeper the pool has not begun yet.
    if keepers.isEmpty || keepers.contains(where: \.isHopeful) {
      waiting.append(request)
    } else {
      request.fail(absence())
    }
  }

  /// The connection of this turn, so that what is asked in one turn travels in one write and wakes one server process.
  private func connection(orElse best: Connection) -> Connection {
    if let (connection, count) = ofTurn, count < Self.queriesPerTurn, connection.isUsable {
      ofTurn = (connection, count + 1)
      return connection
    }
    if ofTurn == nil { loop.atEndOfTurn(endTurn) }
    ofTurn = (best, 1)
    return best
  }

  private func repeatOnce(_ request: Request, _ error: PostgresError) {
    guard request.isRepeatable, !request.wasRepeated, !isClosed else { return request.failByLoss(error) }
    request.wasRepeated = true
    submit(request)
  }

  private func failWaitingIfHopeless(_ error: PostgresError) {
    updateAvailability()
    if keepers.contains(where: \.isHopeful) { return }
    failWaiting(absence(error))
  }

  private func failWaiting(_ error: PostgresError) {
    for request in waiting.removeAll() { request.fail(error) }
  }

  private func absence(_ error: PostgresError? = nil) -> PostgresError {
    var absence =
      error ?? keepers.lazy.compactMap(\.lastError).first ?? PostgresError(.unavailable, "no connection to postgres")
    absence.kind = .unavailable
    return absence
  }

  private func updateAvailability() {
    availability.store(keepers.contains { $0.connection != nil }, ordering: .relaxed)
  }
}
