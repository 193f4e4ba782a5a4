import Cryptography
import Foundation
import KeyRecords
import Logging
import Migrations
import Postgres
import PostgresTestSupport
import Registry
import Testing

/// What the schema lets the service do, and which schemas it takes.
@Suite struct SchemaTests {
  @Test func theListOfMigrationsIsTheFolder() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Migrations/sql")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false)).sorted()
    #expect(files == Migrations.all.map { "\($0.name).sql" })
    for (file, migration) in zip(files, Registry.migrations) {
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      #expect(text == migration.sql && migration.hash == SHA256.hash(Array(text.utf8)).bytes)
    }
  }

  @Test(arguments: [
    "update entries set accepted = 0", "delete from entries", "truncate entries", "delete from users",
    "delete from apps", "update used_keys set index = 0", "delete from used_keys", "delete from used_nonces",
    "update used_nonces set index = 0", "update request_nonces set expires = 0", "truncate request_nonces",
    "delete from webhook_cursors",
    "update registrar_key set seed = ''", "delete from registrar_key",
    "drop table entries", "alter table entries add column x bigint", "create table mine (n bigint)",
    "update schema_migrations set name = ''",
  ])
  func theServiceMayNot(_ statement: String) async throws {
    let number = abs(statement.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff_ffff })
    try await withFixture("schema_role_\(number)") { fixture in
      let error = await #expect(throws: PostgresError.self) {
        try await fixture.sql(statement, role: Registry.databaseRole)
      }
      #expect(error?.sqlState == "42501", "\(String(describing: error))")
    }
  }

  @Test func theServiceWorksAsItsRole() async throws {
    try await withFixture("schema_role") { fixture in
      let app = try await fixture.app(in: fixture.registry())
      #expect(try await app.submit(Person(app: fixture.app, now: fixture.clock.now).body).isCreated)
      let roles = try await fixture.sql(
        """
        select distinct usename, (select rolname from pg_roles r where r.oid = a.usesysid)
        from pg_stat_activity a where query like 'listen%'
        """)
      // The session's own user is the cluster's owner: only the role it has taken keeps it from everything.
      #expect(roles.count >= 1)
      let error = await #expect(throws: PostgresError.self) {
        try await fixture.sql("insert into schema_migrations values ('x', '')", role: Registry.databaseRole)
      }
      #expect(error?.sqlState == "42501")
    }
  }

  @Test func aSchemaThatIsNotTheKnownOneIsRefused() async throws {
    try await withFixture("schema_other") { fixture in
      try await fixture.sql("insert into schema_migrations values ('V9999_later', decode(repeat('00', 32), 'hex'))")
      let newer = await #expect(throws: RegistryStartError.self) { try await fixture.registry() }
      #expect(newer == .schemaIsNewer(unknown: ["V9999_later"]))
      try await fixture.sql("delete from schema_migrations where name = 'V9999_later'")
      try await fixture.sql("update schema_migrations set hash = decode(repeat('00', 32), 'hex')")
      let other = await #expect(throws: RegistryStartError.self) { try await fixture.registry() }
      #expect(other == .schemaIsOther(migration: Migrations.all[0].name))
      try await fixture.sql("delete from schema_migrations")
      let older = await #expect(throws: RegistryStartError.self) { try await fixture.registry() }
      #expect(older == .schemaIsOlder(missing: Migrations.all.map(\.name)))
    }
  }

  @Test func aRunningRegistryNotesThatTheSchemaHasMovedOn() async throws {
    try await withFixture("schema_moved") { fixture in
      let registry = try await fixture.registry()
      #expect(registry.isReady)
      try await fixture.sql("insert into schema_migrations values ('V9999_later', decode(repeat('00', 32), 'hex'))")
      try await eventually("it is not ready") { !registry.isReady }
      try await fixture.sql("delete from schema_migrations where name = 'V9999_later'")
      try await eventually("it is ready again") { registry.isReady }
    }
  }

  @Test func allInstancesHaveOneKey() async throws {
    try await withFixture("schema_key") { fixture in
      let keys = try await withThrowingTaskGroup(of: VerifyingKey.self) { group in
        for _ in 0..<4 { group.addTask { try await fixture.registry().signingKey.verifyingKey } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(keys.count == 4 && Set(keys).count == 1)
      let app = try await fixture.app(in: fixture.registry())
      let shown = try app.snapshot().registrarKey
      #expect(shown == keys[0])
    }
  }

  @Test func anAbsentDatabaseIsSaidToBe() async throws {
    let loop = TestLoop()
    defer { loop.stop() }
    let nowhere = try PostgresConfiguration(conninfo: "host=/nowhere user=x dbname=x")
    let configuration = RegistryConfiguration(postgres: nowhere, logger: Logger(label: "test"))
    let error = await #expect(throws: RegistryStartError.self) {
      try await Registry.start(configuration, readLoops: [loop], commitLoop: loop)
    }
    guard case .databaseUnavailable = error else { throw Unexpected("\(String(describing: error))") }
  }
}
