import CPostgres

extension Connection {
  /// SQLSTATE of a prepared statement that the server does not know: its preparation failed.
  private static var unknownStatementState: String { "26000" }

  /// Reads all results that have arrived.
  func processResults() {
    var hadEmptyEnd = false
    while !expected.isEmpty, fatalError == nil, PQisBusy(handle.pointer) == 0 {
      guard let result = PQgetResult(handle.pointer) else {
        // Null ends the results of a statement; it may also say that there is nothing (yet).
        if answer != nil {
          finishCommand()
        } else if hadEmptyEnd {
          return
        } else {
          hadEmptyEnd = true
        }
        continue
      }
      hadEmptyEnd = false
      progress += 1
      process(result)
    }
  }

  func deliverNotifications() {
    while let notification = PQnotifies(handle.pointer) {
      let channel = notification.pointee.relname.map { String(cString: $0) } ?? ""
      let payload = notification.pointee.extra.map { String(cString: $0) } ?? ""
      PQfreemem(notification)
      onNotification(channel, payload)
    }
  }

  /// Takes one result: its rows become the answer's, anything else of it ends here.
  private func process(_ result: OpaquePointer) {
    switch PQresultStatus(result) {
    case PGRES_EMPTY_QUERY: answer = PostgresRows.of(result)
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK: take(PostgresRows.of(result))
    case let status:
      process(result, status)
      PQclear(result)
    }
  }

  private func take(_ rows: Result<PostgresRows, PostgresError>) {
    if case .answer = expected.first, case .success(let rows) = rows, rows.isCutOff {
      fatalError = PostgresError(.connectionLost, "the connection to postgres ended within an answer")
    } else {
      answer = rows
    }
  }

  /// What has no rows.
  private func process(_ result: OpaquePointer, _ status: ExecStatusType) {
    switch status {
    case PGRES_PIPELINE_SYNC:
      guard answer == nil, case .sync(let completion) = expected.popFirst() else {
        return giveUp(Self.disorder)
      }
      completion?(true)
    case PGRES_PIPELINE_ABORTED:
      answer = .failure(Self.aborted)
    case PGRES_FATAL_ERROR:
      let (error, isFatal) = PostgresError.reported(by: result, complaint: handle.complaint)
      if isFatal || handle.isBroken {
        fatalError = error
      } else {
        answer = .failure(error)
      }
    default:
      giveUp(Self.disorder)
    }
  }

  private static var disorder: PostgresError { PostgresError(.connectionLost, "postgres answered out of order") }
  private static var aborted: PostgresError { PostgresError(.connectionLost, "aborted") }

  /// Ends the first of `expected` with `answer`.
  func finishCommand() {
    guard let answer = answer.take() else { return }
    switch expected.popFirst() {
    case .answer(let request):
      inFlight -= 1
      finish(request, with: answer)
    case .preparation(let name):
      if case .failure(let error) = answer { preparations[name] = .failed(error) }
    case .sync, nil:
      giveUp(Self.disorder)
    }
  }

  private func finish(_ request: Request, with answer: Result<PostgresRows, PostgresError>) {
    switch answer {
    case .failure(Self.aborted):
      onAborted(request)
    case .failure(let error) where error.sqlState == Self.unknownStatementState:
      if let name = request.statementName, case .failed(let reason) = preparations[name] {
        request.fail(reason)
      } else {
        request.fail(error)
      }
    default:
      request.complete(answer)
    }
  }
}

extension PostgresRows {
  /// More values than this in one answer is a mistake in the statement, not an answer.
  static let maximumCellCount = 1 << 26

  /// Whether rows may be missing at the end.
  ///
  /// When a connection dies between the description of the rows and the rows, libpq 15 can give what it has as if it were
  /// all. Only a whole answer has a command tag.
  var isCutOff: Bool { commandTag.isEmpty }

  /// The rows of a result, which is theirs from now on. Counts and lengths are libpq's own.
  static func of(_ result: OpaquePointer) -> Result<PostgresRows, PostgresError> {
    let answer = PostgresAnswer(owning: result)
    let rowCount = Int(PQntuples(result))
    let columnCount = Int(PQnfields(result))
    let (cellCount, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
    guard rowCount >= 0, columnCount >= 0, !overflow, cellCount <= maximumCellCount else {
      return .failure(PostgresError(.unexpectedResult, "the answer has too many values"))
    }
    return .success(PostgresRows(count: rowCount, columnCount: columnCount, in: answer))
  }
}
