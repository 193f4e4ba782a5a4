import CPostgres

extension PostgresError {
  /// The error that a result holds, and whether the connection is over with it.
  ///
  /// An error without a SQLSTATE is libpq's own, which means the same.
  static func reported(
    by result: OpaquePointer, complaint: @autoclosure () -> String
  ) -> (error: PostgresError, isFatal: Bool) {
    func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
    let severity = field(cpostgres_diag_severity())
    let state = field(cpostgres_diag_sqlstate()) ?? ""
    let message = field(cpostgres_diag_message()) ?? complaint()
    if severity == "FATAL" || severity == "PANIC" || state.isEmpty {
      let text = "lost the connection to postgres: \(message)"
      return (PostgresError(.connectionLost, text, sqlState: state), true)
    }
    let constraint = field(cpostgres_diag_constraint())
    return (PostgresError(.server, message, sqlState: state, constraint: constraint), false)
  }
}
