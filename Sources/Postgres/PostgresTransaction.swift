/// A transaction under way, within ``PostgresSession/transaction(isolation:isReadOnly:_:)``.
///
/// `@unchecked Sendable`: its state belongs to the loop of its session; every entry goes there.
public final class PostgresTransaction: @unchecked Sendable {
  enum State {
    case open
    /// A commit has been sent. If it fails, the server may still hold the transaction open.
    case committing
    case over
  }

  private let connection: Connection
  private let loop: any PostgresLoop
  private var state: State = .open

  init(connection: Connection, loop: any PostgresLoop) {
    self.connection = connection
    self.loop = loop
  }

  /// Runs a statement.
  ///
  /// After an error of kind ``PostgresError/Kind/server`` Postgres refuses everything further in this transaction.
  @discardableResult
  public nonisolated(nonsending) func query(
    _ statement: PreparedStatement, _ parameters: [PostgresValue] = []
  ) async throws -> PostgresRows {
    try Task.checkCancellation()
    let encoded = try EncodedParameters(parameters)
    return try await withCheckedThrowingContinuation { continuation in
      let request = Request(.prepared(statement, encoded), completion: .continuation(continuation))
      onLoop { self.send([request]) }
    }
  }

  /// Runs statements in order, in one round trip. Those after one that fails are not run.
  ///
  /// - Throws: the error of the one that failed.
  @discardableResult
  public nonisolated(nonsending) func queryAll(
    _ statements: [(PreparedStatement, [PostgresValue])]
  ) async throws -> [PostgresRows] {
    try Task.checkCancellation()
    return try await run(statements, isCommitting: false)
  }

  /// Runs statements in order and commits, in one round trip. If one fails, nothing is committed.
  ///
  /// Afterwards the transaction is over; the body of the transaction returns what it wants to return.
  /// - Throws: as ``PostgresSession/transaction(isolation:isReadOnly:_:)`` at the commit.
  @discardableResult
  public nonisolated(nonsending) func commit(
    after statements: [(PreparedStatement, [PostgresValue])] = []
  ) async throws -> [PostgresRows] {
    try await run(statements, isCommitting: true)
  }

  nonisolated(nonsending) func commitIfOpen() async throws {
    if await isOpen() { try await commit() }
  }

  /// Undoes everything that is not committed; if the server does not answer properly, the connection is given up, which
  /// does the same.
  nonisolated(nonsending) func rollBackUnlessOver() async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      onLoop {
        let isOver = if case .over = self.state { true } else { false }
        self.state = .over
        guard !isOver, self.connection.isUsable, let none = try? EncodedParameters([]) else {
          return continuation.resume()
        }
        let completion = Request.Completion.callback { result in
          if case .failure(let error) = result { self.connection.giveUp(error) }
          continuation.resume()
        }
        self.connection.send(Request(.text("rollback", none), completion: completion))
      }
    }
  }

  private nonisolated(nonsending) func isOpen() async -> Bool {
    await withCheckedContinuation { continuation in
      onLoop {
        let isOpen = if case .open = self.state { true } else { false }
        continuation.resume(returning: isOpen)
      }
    }
  }

  private nonisolated(nonsending) func run(
    _ statements: [(PreparedStatement, [PostgresValue])], isCommitting: Bool
  ) async throws -> [PostgresRows] {
    var commands: [Request.Command] = []
    commands.reserveCapacity(statements.count + 1)
    for (statement, parameters) in statements {
      commands.append(.prepared(statement, try EncodedParameters(parameters)))
    }
    if isCommitting { commands.append(.text("commit", try EncodedParameters([]))) }
    if commands.isEmpty { return [] }
    let finished = SendableCommands(commands: commands)
    return try await withCheckedThrowingContinuation { continuation in
      onLoop {
        let group = AnswerGroup(count: finished.commands.count, hasCommit: isCommitting, continuation) {
          self.state = .over
        }
        self.send(group.requests(finished.commands), isCommitting: isCommitting)
      }
    }
  }

  private struct SendableCommands: Sendable {
    let commands: [Request.Command]
  }

  private func onLoop(_ work: @escaping @Sendable () -> Void) {
    if loop.isCurrent { work() } else { loop.execute(work) }
  }

  private func send(_ requests: [Request], isCommitting: Bool = false) {
    guard case .open = state else {
      for request in requests { request.fail(PostgresError(.invalidRequest, "the transaction is over")) }
      return
    }
    if isCommitting { state = .committing }
    // Known to be dead before anything was sent: certainly not committed.
    guard connection.isUsable else {
      let error = PostgresError(.connectionLost, "the connection to postgres died during the transaction")
      for request in requests { request.fail(error) }
      return
    }
    for request in requests { connection.send(request) }
  }
}

/// Collects the answers of statements that were sent together.
final class AnswerGroup {
  private var answers: [PostgresRows] = []
  private var firstError: PostgresError?
  private var remaining: Int
  private let hasCommit: Bool
  private let continuation: CheckedContinuation<[PostgresRows], any Error>

  private let onCommit: () -> Void

  init(
    count: Int, hasCommit: Bool, _ continuation: CheckedContinuation<[PostgresRows], any Error>,
    onCommit: @escaping () -> Void
  ) {
    remaining = count
    self.onCommit = onCommit
    self.hasCommit = hasCommit
    self.continuation = continuation
  }

  /// Requests for the commands, of which the last is the commit if there is one.
  func requests(_ commands: [Request.Command]) -> [Request] {
    commands.enumerated().map { index, command in
      let isCommit = hasCommit && index == commands.count - 1
      return Request(
        command, lossKind: isCommit ? .outcomeUnknown : .connectionLost,
        completion: .callback { self.received($0, isCommit: isCommit) })
    }
  }

  private func received(_ answer: Result<PostgresRows, PostgresError>, isCommit: Bool) {
    switch answer {
    case .success(let rows) where !isCommit: answers.append(rows)
    case .success(let rows): checkCommit(rows)
    case .failure(let error): note(error, isCommit: isCommit)
    }
    remaining -= 1
    guard remaining == 0 else { return }
    if let firstError { continuation.resume(throwing: firstError) } else { continuation.resume(returning: answers) }
  }

  /// A transaction in which something failed answers a commit with `ROLLBACK`, and no error.
  private func checkCommit(_ rows: PostgresRows) {
    onCommit()
    guard rows.commandTag != "COMMIT", firstError == nil else { return }
    firstError = PostgresError(.server, "rolled back, as a statement failed earlier", sqlState: "25P02")
  }

  /// The first error tells most, but for a commit that may have happened: that is what the caller must know.
  private func note(_ error: PostgresError, isCommit: Bool) {
    var error = error
    // statement_completion_unknown
    if isCommit && error.sqlState == "40003" { error.kind = .outcomeUnknown }
    if firstError == nil || (firstError?.kind == .connectionLost && error.kind == .outcomeUnknown) {
      firstError = error
    }
  }
}
