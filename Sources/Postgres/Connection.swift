import CPostgres

/// One established connection in pipeline mode. Belongs to one loop, and is touched on it alone.
///
/// Statements are sent as they come; one Sync and one flush follow at the end of the loop's turn, so that everything of
/// a turn travels together. Answers come in order and are matched with `expected`.
final class Connection {
  /// What the server still owes, in order.
  enum Expected {
    case answer(Request)
    case preparation(name: String)
    case sync(((Bool) -> Void)?)
  }

  enum PreparationState {
    case sent(sql: String)
    case failed(PostgresError)
  }

  let loop: any PostgresLoop
  let handle: ConnectionHandle
  private let answerTimeout: Duration?
  private var watch: (any PostgresWatch)?
  private var watchdog: (any PostgresTimer)?
  private var progressAtWatchdog = 0
  private var flushAtEndOfTurn: () -> Void = {}
  private var isFlushScheduled = false
  private var needsSync = false

  var expected = FIFO<Expected>()
  /// What `PQgetResult` gave for the first of `expected`, whose end has not come yet.
  var answer: Result<PostgresRows, PostgresError>?
  var preparations: [String: PreparationState] = [:]
  /// Answers so far: tells the watchdog that the server is alive.
  var progress = 0
  /// Set when the connection is of no use any more; it ends as soon as the stack has unwound.
  var fatalError: PostgresError?
  private(set) var isLost = false
  /// Set when libpq could not take a statement: what has arrived is read, then the connection is closed.
  private var isSendingBroken = false
  /// Statements without an answer.
  var inFlight = 0

  /// Told once, with what had no answer, in the order it was sent. Who is told completes or repeats each.
  var onLost: (PostgresError, [Request]) -> Void = { error, requests in
    for request in requests { request.failByLoss(error) }
  }
  /// Told of an innocent victim of another statement in its pipeline.
  var onAborted: (Request) -> Void = { $0.fail(abortedByNeighbour) }
  /// Told of a notification: channel, payload.
  var onNotification: (String, String) -> Void = { _, _ in }

  init(_ handle: ConnectionHandle, loop: any PostgresLoop, answerTimeout: Duration?) {
    self.handle = handle
    self.loop = loop
    self.answerTimeout = answerTimeout
  }

  /// Begins to watch the socket. To be balanced by ``close(_:)``.
  func open() throws(PostgresError) {
    precondition(loop.isCurrent)
    flushAtEndOfTurn = { [weak self] in self?.endTurn() }
    do {
      watch = try loop.watch(
        fileDescriptor: PQsocket(handle.pointer),
        onReadable: { [weak self] in self?.readable() },
        onWritable: { [weak self] in self?.flush() })
    } catch {
      throw PostgresError(.unavailable, "cannot watch the connection to postgres: \(error)")
    }
  }

  /// Whether statements can be sent.
  var isUsable: Bool { !isLost && !isSendingBroken && fatalError == nil }

  /// Sends a statement; the request is completed, or handed to ``onAborted`` or ``onLost``, exactly once.
  func send(_ request: Request) {
    guard isUsable else {
      request.failByLoss(fatalError ?? PostgresError(.connectionLost, "the connection to postgres is closed"))
      return
    }
    // What is sent again stands alone, so that no neighbour can take it down a second time.
    if request.wasRepeated && needsSync { synchronize() }
    switch request.command {
    case .prepared(let statement, let parameters):
      guard prepareIfNeeded(statement, for: request) else { return }
      post(request) { pointer in
        parameters.withPointers { PQsendQueryPrepared(pointer, statement.name, $0, $1, $2, $3, 1) }
      }
    case .text(let sql, let parameters):
      post(request) { pointer in
        parameters.withPointers { PQsendQueryParams(pointer, sql, $0, nil, $1, $2, $3, 1) }
      }
    }
    if request.wasRepeated { synchronize() }
  }

  /// Ends the current part of the pipeline now; `completion` is told when the server has got there: true, or that the
  /// connection died before: false.
  func synchronize(_ completion: ((Bool) -> Void)? = nil) {
    guard isUsable, PQpipelineSync(handle.pointer) == 1 else {
      sendingFailed()
      completion?(false)
      return
    }
    expected.append(.sync(completion))
    needsSync = false
    scheduleFlush()
  }

  /// Ends the connection; what had no answer goes to ``onLost``.
  func close(_ error: PostgresError) {
    precondition(loop.isCurrent)
    guard !isLost else { return }
    isLost = true
    fatalError = fatalError ?? error
    watch?.cancel()
    watchdog?.cancel()
    watch = nil
    watchdog = nil
    if answer != nil { finishCommand() }
    var unanswered: [Request] = []
    for item in expected.removeAll() {
      switch item {
      case .answer(let request): unanswered.append(request)
      case .sync(let completion): completion?(false)
      case .preparation: break
      }
    }
    inFlight = 0
    let tell = onLost
    // The closures may hold the connection.
    onLost = { _, _ in }
    onAborted = { $0.fail(abortedByNeighbour) }
    onNotification = { _, _ in }
    tell(error, unanswered)
  }

  /// Marks the connection as useless; it is closed at the end of the turn.
  func giveUp(_ error: PostgresError) {
    fatalError = fatalError ?? error
    scheduleFlush()
  }

  private func sendingFailed() {
    isSendingBroken = true
    scheduleFlush()
  }

  /// Takes note of a statement that libpq did not take: it goes to ``onLost`` with the others.
  private func noteUnsent(_ request: Request) {
    sendingFailed()
    expected.append(.answer(request))
    inFlight += 1
  }

  private func lossError() -> PostgresError {
    PostgresError(.connectionLost, "lost the connection to postgres: \(handle.complaint)")
  }

  /// Sees to it that the server knows the statement; false if it has failed the request.
  private func prepareIfNeeded(_ statement: PreparedStatement, for request: Request) -> Bool {
    if case .sent(let sql) = preparations[statement.name] {
      guard sql == statement.sql else {
        request.fail(PostgresError(.invalidRequest, "two statements have one name"))
        return false
      }
      return true
    }
    // In a part of the pipeline of its own: no failing neighbour can abort it, and its failure aborts nobody.
    if needsSync { synchronize() }
    guard isUsable, PQsendPrepare(handle.pointer, statement.name, statement.sql, 0, nil) == 1 else {
      noteUnsent(request)
      return false
    }
    preparations[statement.name] = .sent(sql: statement.sql)
    expected.append(.preparation(name: statement.name))
    synchronize()
    return true
  }

  private func post(_ request: Request, _ send: (OpaquePointer) -> Int32) {
    guard isUsable, send(handle.pointer) == 1 else { return noteUnsent(request) }
    expected.append(.answer(request))
    inFlight += 1
    needsSync = true
    scheduleFlush()
  }

  private func scheduleFlush() {
    if isFlushScheduled || isLost { return }
    isFlushScheduled = true
    loop.atEndOfTurn(flushAtEndOfTurn)
  }

  private func endTurn() {
    isFlushScheduled = false
    if isLost { return }
    if let fatalError { return close(fatalError) }
    if needsSync && !isSendingBroken { synchronize() }
    if isSendingBroken { return readable() }
    flush()
    startWatchdog()
  }

  private func flush() {
    if isLost { return }
    switch PQflush(handle.pointer) {
    case 0: break
    case 1: watch?.requestWritable()
    default: readable()
    }
  }

  private func readable() {
    if isLost { return }
    let isAlive = PQconsumeInput(handle.pointer) == 1
    // What the server said before it went is still there to be read, and it may be the answer to a commit.
    processResults()
    deliverNotifications()
    if let fatalError { return close(fatalError) }
    if !isAlive || isSendingBroken || handle.isBroken { return close(lossError()) }
    if PQflush(handle.pointer) == 1 { watch?.requestWritable() }
  }

  /// An answer that never comes, of a server that has stopped or behind a network that swallows, ends the connection.
  private func startWatchdog() {
    guard let answerTimeout, watchdog == nil, !expected.isEmpty, !isLost else { return }
    progressAtWatchdog = progress
    watchdog = loop.schedule(after: answerTimeout) { [weak self] in
      guard let self, !self.isLost else { return }
      self.watchdog = nil
      if !self.expected.isEmpty && self.progress == self.progressAtWatchdog {
        self.close(PostgresError(.connectionLost, "postgres has not answered in time"))
      } else {
        self.startWatchdog()
      }
    }
  }
}

/// What a statement gets that was not run because an earlier one of the same turn failed.
let abortedByNeighbour = PostgresError(.server, "not run, as an earlier statement failed", sqlState: "25P02")
