import Foundation
import Glibc
import Postgres
import PostgresCluster
import Synchronization

/// A throw-away cluster; `shared` serves all tests that do not harm it.
final class TestDatabase: Sendable {
  static let shared = Result { try TestDatabase() }

  let directory: String
  let cluster: PrivateCluster
  let connection: ClusterConnection

  init(supervised: Bool = true, settings: [(name: String, value: String)] = []) throws {
    directory = "/tmp/postgres-tests-\(UUID().uuidString.prefix(8))"
    var configuration = ClusterConfiguration(directory: directory)
    configuration.settings = [("fsync", "off"), ("shared_buffers", "32MB")] + settings
    cluster = PrivateCluster(configuration)
    connection = try cluster.start(supervised: supervised)
    Self.started.withLock { $0.append(self) }
    _ = Self.cleaning
  }

  func configuration(schema: String? = nil) throws -> PostgresConfiguration {
    let options = schema.map { " options='-c search_path=\($0)'" } ?? ""
    var configuration = try PostgresConfiguration(conninfo: connection.conninfo + options)
    configuration.statementTimeout = .seconds(60)
    return configuration
  }

  private static let started = Mutex<[TestDatabase]>([])

  /// Nothing else runs after all suites.
  private static let cleaning: Void = {
    atexit {
      for database in TestDatabase.started.withLock({ $0 }) {
        _ = try? database.cluster.stop()
        if getenv("KEEP_TEST_DATABASE") == nil { try? FileManager.default.removeItem(atPath: database.directory) }
      }
    }
  }()
}

extension PreparedStatement {
  static let one = PreparedStatement("one", "select 1::bigint")
  static let echo = PreparedStatement("echo", "select $1::bigint")
  static let fails = PreparedStatement("fails", "select 1 / $1::bigint")
  static let sleep = PreparedStatement("sleep", "select $1::bigint from pg_sleep($2::bigint / 1000.0)")
  static let backend = PreparedStatement("backend", "select pg_backend_pid()::bigint")
  static let terminate = PreparedStatement("terminate", "select pg_terminate_backend($1::bigint::int)")
}
