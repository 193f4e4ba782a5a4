import Synchronization

/// How much a transaction sees of others.
public enum TransactionIsolation: String, Sendable {
  /// Each statement sees what was committed before it began.
  case readCommitted = "read committed"
  /// All statements see what was committed before the first.
  case repeatableRead = "repeatable read"
  /// As if transactions had run one after another; be ready for ``PostgresError/isSerializationFailure``.
  case serializable
}

/// One connection for transactions, on one loop. Transactions run one after another, in the order they were asked for.
///
/// Nothing is ever sent twice. The connection comes back by itself after it died.
///
/// `@unchecked Sendable`: all state but `availability` belongs to the loop; every entry checks or goes there.
public final class PostgresSession: @unchecked Sendable {
  /// How many transactions may wait for their turn.
  public static let maximumWaiting = 4096

  private let keeper: ConnectionKeeper
  private let loop: any PostgresLoop
  private let availability = Atomic<Bool>(false)
  private var waiting = FIFO<Waiter>()
  private var isBusy = false
  private var isClosed = false

  private struct Waiter {
    let begin: String
    let continuation: CheckedContinuation<PostgresTransaction, any Error>
  }

  /// A session on a loop; it begins to connect at once. To be balanced by ``close()``.
  public init(configuration: PostgresConfiguration, loop: any PostgresLoop) {
    self.loop = loop
    keeper = ConnectionKeeper(configuration: configuration, loop: loop)
    loop.execute { [self] in
      keeper.onReady = { [weak self] _ in
        self?.availability.store(true, ordering: .relaxed)
        self?.startNext()
      }
      keeper.onLost = { [weak self] error, requests in
        self?.availability.store(false, ordering: .relaxed)
        for request in requests { request.failByLoss(error) }
        self?.failWaitingIfHopeless(error)
      }
      keeper.onHopeless = { [weak self] error in self?.failWaitingIfHopeless(error) }
      keeper.start()
    }
  }

  /// Whether there is a connection for a transaction now. From any thread.
  public var isAvailable: Bool { availability.load(ordering: .relaxed) }

  /// Runs `body` in a transaction and commits; rolls back if `body` throws, and throws what it threw.
  ///
  /// `begin` travels with the first statement. A cancelled task runs no further statement; a commit is never dropped.
  /// - Throws: what `body` throws; ``PostgresError`` of kind ``PostgresError/Kind/outcomeUnknown`` if the connection died
  ///   during the commit, of any other kind if it is certain that nothing was committed.
  @discardableResult
  public nonisolated(nonsending) func transaction<T>(
    isolation: TransactionIsolation = .readCommitted, isReadOnly: Bool = false,
    _ body: nonisolated(nonsending) (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try Task.checkCancellation()
    let begin = "begin isolation level \(isolation.rawValue)\(isReadOnly ? " read only" : "")"
    let transaction = try await withCheckedThrowingContinuation { continuation in
      onLoop { self.enter(Waiter(begin: begin, continuation: continuation)) }
    }
    defer { onLoop { self.leave() } }
    do {
      let value = try await body(transaction)
      try await transaction.commitIfOpen()
      return value
    } catch {
      await transaction.rollBackUnlessOver()
      throw error
    }
  }

  /// Ends the connection; what waits, and what comes later, fails with ``PostgresError/Kind/unavailable``.
  public func close() {
    onLoop { [self] in
      guard !isClosed else { return }
      isClosed = true
      availability.store(false, ordering: .relaxed)
      keeper.stop(Self.closed)
      failWaiting(Self.closed)
    }
  }

  private static let closed = PostgresError(.unavailable, "the connection to postgres is closed")

  private func onLoop(_ work: @escaping @Sendable () -> Void) {
    if loop.isCurrent { work() } else { loop.execute(work) }
  }

  private func enter(_ waiter: Waiter) {
    guard !isClosed else { return waiter.continuation.resume(throwing: Self.closed) }
    guard keeper.isHopeful else { return waiter.continuation.resume(throwing: absence(keeper.lastError)) }
    guard waiting.count < Self.maximumWaiting else {
      let error = PostgresError(.unavailable, "too many transactions are waiting for postgres")
      return waiter.continuation.resume(throwing: error)
    }
    waiting.append(waiter)
    startNext()
  }

  private func leave() {
    isBusy = false
    startNext()
  }

  private func startNext() {
    guard !isBusy, let connection = keeper.connection, let waiter = waiting.popFirst() else { return }
    isBusy = true
    do throws(PostgresError) {
      let none = try EncodedParameters([])
      // Without a begin, what follows would run outside any transaction: a connection that refuses it is given up.
      let completion = Request.Completion.callback { result in
        if case .failure(let error) = result { connection.giveUp(error) }
      }
      connection.send(Request(.text(waiter.begin, none), completion: completion))
      waiter.continuation.resume(returning: PostgresTransaction(connection: connection, loop: loop))
    } catch {
      isBusy = false
      waiter.continuation.resume(throwing: error)
    }
  }

  private func failWaitingIfHopeless(_ error: PostgresError) {
    if !keeper.isHopeful { failWaiting(absence(error)) }
  }

  private func failWaiting(_ error: PostgresError) {
    for waiter in waiting.removeAll() { waiter.continuation.resume(throwing: error) }
  }

  private func absence(_ error: PostgresError?) -> PostgresError {
    var error = error ?? PostgresError(.unavailable, "no connection to postgres")
    error.kind = .unavailable
    return error
  }
}
