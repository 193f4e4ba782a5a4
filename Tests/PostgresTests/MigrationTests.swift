import Postgres
import PostgresCluster
import PostgresTestSupport
import Testing

@Suite struct MigrationTests {
  private let first = Migration(
    name: "V0001_first", sql: "create table a (n bigint); insert into a values (1), (2);",
    hash: Array(repeating: 1, count: 32))
  private let second = Migration(
    name: "V0002_second", sql: "create table b as select sum(n) as total from a", hash: Array(repeating: 2, count: 32))

  /// A configuration in an empty schema of its own.
  private func configuration(_ schema: String) async throws -> PostgresConfiguration {
    let database = try TestDatabase.shared.get()
    let loop = TestLoop()
    let session = PostgresSession(configuration: try database.configuration(), loop: loop)
    try await session.transaction { try await $0.query(PreparedStatement("make_schema", "create schema \(schema)")) }
    session.close()
    loop.stop()
    return try database.configuration(schema: schema)
  }

  @Test func statesFromEmptyToCurrent() async throws {
    let configuration = try await configuration("m_states")
    let runner = MigrationRunner(configuration: configuration, migrations: [first, second])
    #expect(try await runner.status() == .older(missing: ["V0001_first", "V0002_second"]))
    #expect(try await runner.migrate(dryRun: true) == ["V0001_first", "V0002_second"])
    #expect(try await runner.status() == .older(missing: ["V0001_first", "V0002_second"]))
    let half = MigrationRunner(configuration: configuration, migrations: [first])
    #expect(try await half.migrate() == ["V0001_first"])
    #expect(try await runner.status() == .older(missing: ["V0002_second"]))
    #expect(try await runner.migrate() == ["V0002_second"])
    #expect(try await runner.migrate() == [])
    #expect(try await runner.status() == .upToDate)

    #expect(try await half.status() == .newer(unknown: ["V0002_second"]))
    let newer = await #expect(throws: MigrationError.self) { try await half.migrate() }
    #expect(newer == .newer(unknown: ["V0002_second"]))

    let edited = Migration(name: first.name, sql: first.sql + " ", hash: Array(repeating: 9, count: 32))
    let other = MigrationRunner(configuration: configuration, migrations: [edited, second])
    #expect(try await other.status() == .changed(name: "V0001_first"))
    let changed = await #expect(throws: MigrationError.self) { try await other.migrate() }
    #expect(changed == .changed(name: "V0001_first"))
  }

  @Test func aMigrationThatFailsLeavesNothing() async throws {
    let configuration = try await configuration("m_failure")
    let broken = Migration(
      name: "V0002_broken", sql: "create table half (n bigint); select 1 / 0;", hash: Array(repeating: 3, count: 32))
    let runner = MigrationRunner(configuration: configuration, migrations: [first, broken])
    let error = await #expect(throws: MigrationError.self) { try await runner.migrate() }
    guard case .failed("V0002_broken", let reason) = error else {
      Issue.record("expected a failure, got \(String(describing: error))")
      return
    }
    #expect(reason.sqlState == "22012")
    #expect(try await runner.status() == .older(missing: ["V0002_broken"]))
    let mended = Migration(name: "V0002_broken", sql: "create table half (n bigint)", hash: broken.hash)
    let again = MigrationRunner(configuration: configuration, migrations: [first, mended])
    #expect(try await again.migrate() == ["V0002_broken"])
  }

  @Test func aMigrationMayNotEndItsTransaction() async throws {
    let configuration = try await configuration("m_commit")
    let rude = Migration(name: "V0001_rude", sql: "create table c (n bigint); commit", hash: first.hash)
    let runner = MigrationRunner(configuration: configuration, migrations: [rude])
    let error = await #expect(throws: MigrationError.self) { try await runner.migrate() }
    #expect(error == .endedItsTransaction(name: "V0001_rude"))
  }

  @Test func severalAtOnceMigrateOnce() async throws {
    let configuration = try await configuration("m_race")
    let slow = Migration(
      name: "V0002_slow", sql: "create table d (n bigint); select pg_sleep(0.2)", hash: second.hash)
    let runner = MigrationRunner(configuration: configuration, migrations: [first, slow])
    let applied = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<8 { group.addTask { try await runner.migrate() } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(applied.count { !$0.isEmpty } == 1)
    #expect(applied.contains(["V0001_first", "V0002_slow"]))
  }

  @Test func anAbsentDatabaseIsSaidToBe() async throws {
    let nowhere = try PostgresConfiguration(conninfo: "host=/nowhere user=x dbname=x")
    let runner = MigrationRunner(configuration: nowhere, migrations: [])
    let error = await #expect(throws: PostgresError.self) { try await runner.status() }
    #expect(error?.kind == .unavailable)
  }
}
