import CPostgres

/// A connection whose calls wait for their answers: for migrations, on a thread that may wait.
final class BlockingConnection {
  private let handle: ConnectionHandle

  init(_ configuration: PostgresConfiguration) throws(PostgresError) {
    handle = try ConnectAttempt(configuration: configuration).connect(isPipelined: false)
    for (name, value) in configuration.sessionSettings {
      _ = try query("select set_config($1, $2, false)", [.text(name), .text(value)])
    }
  }

  /// Whether a transaction is open and has not failed.
  var isInTransaction: Bool { PQtransactionStatus(handle.pointer) == PQTRANS_INTRANS }

  /// Runs any number of statements, without parameters.
  func execute(_ sql: String) throws(PostgresError) {
    let result = PQexec(handle.pointer, sql)
    defer { PQclear(result) }
    try check(result)
  }

  /// Runs one statement.
  func query(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) -> PostgresRows {
    let parameters = try EncodedParameters(values)
    let result = parameters.withPointers { PQexecParams(handle.pointer, sql, $0, nil, $1, $2, $3, 1) }
    do throws(PostgresError) {
      try check(result)
    } catch {
      PQclear(result)
      throw error
    }
    guard let result else { throw PostgresError(.unexpectedResult, "no memory for an answer") }
    let rows = try PostgresRows.of(result).get()
    if rows.isCutOff { throw PostgresError(.connectionLost, "the connection to postgres ended within an answer") }
    return rows
  }

  private func check(_ result: OpaquePointer?) throws(PostgresError) {
    guard let result else {
      throw PostgresError(.connectionLost, "lost the connection to postgres: \(handle.complaint)")
    }
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
    case PGRES_FATAL_ERROR: throw PostgresError.reported(by: result, complaint: handle.complaint).error
    default: throw PostgresError(.unexpectedResult, "a statement answered with a copy, which is not supported")
    }
  }
}
