import Foundation
import Postgres
import PostgresTestSupport
import WebTransport

@testable import RegistryServer

extension TestDatabase {
  /// A configuration whose tables are in a new schema.
  func freshSchema() async throws -> PostgresConfiguration {
    let schema = "s" + UUID().uuidString.lowercased().filter { $0 != "-" }
    let loop = try EventLoop.start(name: "schema")
    let session = PostgresSession(configuration: try configuration(), loop: loop)
    try await session.transaction { transaction in
      _ = try await transaction.query(PreparedStatement("make_schema", "create schema \(schema)"))
    }
    session.close()
    loop.stop()
    return try configuration(schema: schema)
  }
}
