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
      PQclear(result)
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

  private func process(_ result: OpaquePointer) {
    switch PQresultStatus(result) {
    case PGRES_EMPTY_QUERY:
      answer = PostgresRows.copy(of: result)
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
      let rows = PostgresRows.copy(of: result)
      if case .answer = expected.first, case .success(let rows) = rows, rows.isCutOff {
        fatalError = PostgresError(.connectionLost, "the connection to postgres ended within an answer")
      } else {
        answer = rows
      }
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

  /// Copies a result once. The lengths are libpq's own; each is checked before its bytes are taken.
  static func copy(of result: OpaquePointer) -> Result<PostgresRows, PostgresError> {
    let rowCount = Int(PQntuples(result))
    let columnCount = Int(PQnfields(result))
    let (cellCount, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
    guard rowCount >= 0, columnCount >= 0, !overflow, cellCount <= maximumCellCount else {
      return .failure(PostgresError(.unexpectedResult, "the answer has too many values"))
    }
    var cells: [Cell] = []
    cells.reserveCapacity(cellCount)
    var byteCount = 0
    for row in 0..<Int32(rowCount) {
      for column in 0..<Int32(columnCount) {
        let isNull = PQgetisnull(result, row, column) != 0
        let length = isNull ? -1 : Swift.max(0, PQgetlength(result, row, column))
        cells.append(Cell(offset: byteCount, length: length))
        byteCount += isNull ? 0 : Int(length)
      }
    }
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
      for (index, cell) in cells.enumerated() where cell.length > 0 {
        let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
        let target = UnsafeMutableRawBufferPointer(
          rebasing: UnsafeMutableRawBufferPointer(buffer)[cell.offset..<cell.offset + Int(cell.length)])
        if let source = PQgetvalue(result, Int32(row), Int32(column)) {
          target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: Int(cell.length)))
        } else {
          target.initializeMemory(as: UInt8.self, repeating: 0)
        }
      }
      initializedCount = byteCount
    }
    let tag = PQcmdStatus(result).map { String(cString: $0) } ?? ""
    return .success(
      PostgresRows(count: rowCount, columnCount: columnCount, commandTag: tag, bytes: bytes, cells: cells))
  }
}
