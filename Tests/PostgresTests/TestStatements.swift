import Postgres

extension PreparedStatement {
  static let one = PreparedStatement("one", "select 1::bigint")
  static let echo = PreparedStatement("echo", "select $1::bigint")
  static let fails = PreparedStatement("fails", "select 1 / $1::bigint")
  static let sleep = PreparedStatement("sleep", "select $1::bigint from pg_sleep($2::bigint / 1000.0)")
  static let backend = PreparedStatement("backend", "select pg_backend_pid()::bigint")
  static let terminate = PreparedStatement("terminate", "select pg_terminate_backend($1::bigint::int)")
}
