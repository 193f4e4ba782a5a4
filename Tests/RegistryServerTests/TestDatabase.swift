import Foundation
import Glibc
import Postgres
import PostgresCluster
import Synchronization
import WebTransport

/// A throw-away cluster; `shared` serves all tests that do not harm it.
final class TestDatabase: Sendable {
  static let shared = Result { try TestDatabase() }

  let directory: String
  let cluster: PrivateCluster
  let connection: ClusterConnection

  init() throws {
    directory = "/tmp/server-tests-\(UUID().uuidString.prefix(8))"
    var configuration = ClusterConfiguration(directory: directory)
    configuration.settings = [("fsync", "off"), ("shared_buffers", "32MB"), ("max_connections", "400")]
    cluster = PrivateCluster(configuration)
    connection = try cluster.start()
    Self.started.withLock { $0.append(self) }
    _ = Self.cleaning
  }

  /// A configuration whose tables are in a new schema.
  func freshSchema() async throws -> PostgresConfiguration {
    let schema = "s" + UUID().uuidString.lowercased().filter { $0 != "-" }
    let loop = try EventLoop.start(name: "schema")
    let session = PostgresSession(configuration: try PostgresConfiguration(conninfo: connection.conninfo), loop: loop)
    try await session.transaction { transaction in
      _ = try await transaction.query(PreparedStatement("make_schema", "create schema \(schema)"))
    }
    session.close()
    loop.stop()
    var configuration = try PostgresConfiguration(conninfo: "\(connection.conninfo) options='-c search_path=\(schema)'")
    // The machine may be busy.
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
