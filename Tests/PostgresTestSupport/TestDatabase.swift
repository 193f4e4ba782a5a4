import Foundation
import Glibc
package import Postgres
package import PostgresCluster
import Synchronization

/// A throw-away cluster; `shared` serves all tests that do not harm it.
package final class TestDatabase: Sendable {
  package static let shared = Result { try TestDatabase() }

  package let directory: String
  package let cluster: PrivateCluster
  package let connection: ClusterConnection

  package init(supervised: Bool = true, settings: [(name: String, value: String)] = []) throws {
    directory = "/tmp/postgres-tests-\(UUID().uuidString.prefix(8))"
    var configuration = ClusterConfiguration(directory: directory)
    configuration.settings = [("fsync", "off"), ("shared_buffers", "32MB"), ("max_connections", "400")] + settings
    cluster = PrivateCluster(configuration)
    connection = try cluster.start(supervised: supervised)
    Self.started.withLock { $0.append(self) }
    _ = Self.cleaning
  }

  package func configuration(schema: String? = nil) throws -> PostgresConfiguration {
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
