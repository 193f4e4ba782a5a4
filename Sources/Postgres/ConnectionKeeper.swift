/// Keeps one connection: makes it, sets it up, and makes it anew whenever it dies. Belongs to one loop.
///
/// `@unchecked Sendable`: only `loop.execute` carries it between threads; every entry runs on the loop, which is checked.
final class ConnectionKeeper: @unchecked Sendable {
  /// The pause after a first failure; it doubles with each further one.
  static let shortestPause: Duration = .milliseconds(50)
  /// The pause does not grow beyond this.
  static let longestPause: Duration = .seconds(3)
  /// A connection that lived this long did well: what failed before it is forgotten.
  static let provenLife: Duration = .seconds(1)

  /// Bytes of an answer that has libpq read at least as many at a time from then on: its buffer holds 16 KiB at first,
  /// and keeps the size that the longest message gave it. Long answers then come with a third of the system calls.
  private static let longAnswerBytes = 60_000

  enum State {
    case notStarted
    case stopped
    case connecting
    case ready(Connection)
    case pausing
  }

  let configuration: PostgresConfiguration
  let loop: any PostgresLoop
  private(set) var state: State = .notStarted
  /// Why the last attempt failed; nil while all is well.
  private(set) var lastError: PostgresError?
  private var failures = 0
  /// Whether the attempt under way has taken longer than a query would wait.
  private var isOverdue = false
  private var timer: (any PostgresTimer)?
  private var attempt = 0
  private var readySince = ContinuousClock.now

  /// Told of a connection that is set up.
  var onReady: (Connection) -> Void = { _ in }
  /// Told when a ready connection died, with what had no answer.
  var onLost: (PostgresError, [Request]) -> Void = { _, _ in }
  /// Told when hope of a connection within the wait of a query is gone.
  var onHopeless: (PostgresError) -> Void = { _ in }
  /// Sends what a new connection needs beyond its settings, before it counts as ready.
  var prepare: (Connection) -> Void = { _ in }

  init(configuration: PostgresConfiguration, loop: any PostgresLoop) {
    self.configuration = configuration
    self.loop = loop
  }

  /// The connection, where there is one that can be used.
  var connection: Connection? {
    if case .ready(let connection) = state, connection.isUsable { connection } else { nil }
  }

  /// Whether it is worth waiting for a connection.
  var isHopeful: Bool {
    switch state {
    case .connecting: !isOverdue
    case .notStarted, .ready: true
    case .stopped, .pausing: false
    }
  }

  func start() {
    precondition(loop.isCurrent)
    guard case .notStarted = state else { return }
    connect()
  }

  /// Closes the connection; no further call to anybody comes, but for what the connection still owes.
  func stop(_ error: PostgresError) {
    precondition(loop.isCurrent)
    let previous = state
    state = .stopped
    attempt += 1
    timer?.cancel()
    timer = nil
    if case .ready(let connection) = previous { connection.close(error) }
    setUp?.close(error)
    setUp = nil
  }

  /// A connection that is being set up.
  private var setUp: Connection?

  private func connect() {
    state = .connecting
    isOverdue = false
    attempt += 1
    let number = attempt
    timer = loop.schedule(after: configuration.connectWait) { [weak self] in
      guard let self, self.attempt == number, case .connecting = self.state else { return }
      self.isOverdue = true
      self.onHopeless(self.lastError ?? PostgresError(.unavailable, "connecting to postgres takes too long"))
    }
    ConnectAttempt(configuration: configuration).start { [weak self, loop] result in
      loop.execute { [weak self] in self?.attemptEnded(number, result) }
    }
  }

  private func attemptEnded(_ number: Int, _ result: Result<ConnectionHandle, PostgresError>) {
    guard number == attempt, case .connecting = state else { return }
    switch result {
    case .failure(let error): failed(error)
    case .success(let handle):
      let connection = Connection(handle, loop: loop, answerTimeout: configuration.answerTimeout)
      connection.onLost = { [weak self] error, requests in
        for request in requests { request.failByLoss(error) }
        guard let self, self.setUp === connection else { return }
        self.setUp = nil
        self.failed(error)
      }
      do {
        try connection.open()
        setUp = connection
        configure(connection)
      } catch {
        failed(error)
      }
    }
  }

  /// Settings and role go in a part of the pipeline of their own: a statement that fails later must not undo them.
  private func configure(_ connection: Connection) {
    let settings = configuration.sessionSettings
    var calls = settings.indices.map { "set_config($\($0 * 2 + 1), $\($0 * 2 + 2), false)" }
    calls.append("repeat(' ', \(Self.longAnswerBytes))")
    let values = settings.flatMap { [PostgresValue.text($0.0), .text($0.1)] }
    do throws(PostgresError) {
      let parameters = try EncodedParameters(values)
      let request = Request(
        .text("select \(calls.joined(separator: ", "))", parameters),
        completion: .callback { if case .failure(let error) = $0 { connection.giveUp(error) } })
      connection.send(request)
    } catch {
      connection.giveUp(error)
    }
    prepare(connection)
    connection.synchronize { [weak self] isDone in
      if isDone && connection.isUsable { self?.becameReady(connection) }
    }
  }

  private func becameReady(_ connection: Connection) {
    guard setUp === connection else { return }
    setUp = nil
    timer?.cancel()
    timer = nil
    lastError = nil
    readySince = .now
    state = .ready(connection)
    connection.onLost = { [weak self] error, requests in
      guard let self, case .ready(let current) = self.state, current === connection else {
        for request in requests { request.failByLoss(error) }
        return
      }
      self.lost(error, requests)
    }
    onReady(connection)
  }

  private func lost(_ error: PostgresError, _ requests: [Request]) {
    lastError = error
    if ContinuousClock.now - readySince >= Self.provenLife { failures = 0 }
    if failures == 0 {
      failures = 1
      connect()
    } else {
      pause()
    }
    onLost(error, requests)
  }

  private func failed(_ error: PostgresError) {
    var error = error
    error.kind = .unavailable
    lastError = error
    pause()
    onHopeless(error)
  }

  /// Waits longer after each failure, at random between half the pause and all of it, so that many registrars whose
  /// database comes back do not come all at once.
  private func pause() {
    failures += 1
    state = .pausing
    timer?.cancel()
    let doublings = min(failures - 1, 16)
    let pause = min(Self.shortestPause * (1 << doublings), Self.longestPause)
    timer = loop.schedule(after: pause * Double.random(in: 0.5...1)) { [weak self] in
      guard let self, case .pausing = self.state else { return }
      self.connect()
    }
  }
}
