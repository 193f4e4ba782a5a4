import Foundation
import Postgres
import PostgresCluster
import PostgresTestSupport
import Testing

/// A password that does not stand in the address of the database.
struct DatabasePasswordTests {
  private static let role = PreparedStatement("make_secretive", "create role secretive login password 'open sesame'")
  private static let whoAmI = PreparedStatement("who", "select current_user::text")

  /// A cluster that asks the role `secretive` for a password.
  private func database() throws -> TestDatabase {
    let rules = "/tmp/postgres-tests-hba-\(UUID().uuidString.prefix(8))"
    try "local all secretive scram-sha-256\nlocal all all trust\n".write(
      toFile: rules, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: rules)
    return try TestDatabase(settings: [("hba_file", rules)])
  }

  @Test func theRightPasswordOpensAndNoneIsShown() async throws {
    let database = try database()
    let loop = TestLoop()
    defer { loop.stop() }
    let owner = PostgresSession(configuration: try database.configuration(), loop: loop)
    defer { owner.close() }
    _ = try await owner.transaction { try await $0.query(Self.role) }
    var configuration = try PostgresConfiguration(conninfo: database.connection.conninfo + " user=secretive")
    configuration.password = "open sesame"
    #expect(!"\(configuration)".contains("sesame") && !String(reflecting: configuration).contains("sesame"))
    let session = PostgresSession(configuration: configuration, loop: loop)
    defer { session.close() }
    #expect(try await session.transaction { try await $0.query(Self.whoAmI)[0].text(0) } == "secretive")
  }

  @Test func aWrongPasswordIsRefused() async throws {
    let database = try database()
    let loop = TestLoop()
    defer { loop.stop() }
    let owner = PostgresSession(configuration: try database.configuration(), loop: loop)
    defer { owner.close() }
    _ = try await owner.transaction { try await $0.query(Self.role) }
    var configuration = try PostgresConfiguration(conninfo: database.connection.conninfo + " user=secretive")
    configuration.password = "open barley"
    let session = PostgresSession(configuration: configuration, loop: loop)
    defer { session.close() }
    await #expect(throws: PostgresError.self) {
      try await session.transaction { try await $0.query(Self.whoAmI) }
    }
  }
}
