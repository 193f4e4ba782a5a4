/// Brings a schema to where a program needs it: forward only, each migration in a transaction of its own.
///
/// What was applied is kept in the table `schema_migrations(name, hash, applied)` of the current schema. Several
/// instances may run this at once: one migrates, the others wait and find it done. Works on a connection and a thread of
/// its own, so that it needs no loop.
public struct MigrationRunner: Sendable {
  /// How long to wait for another instance that is migrating.
  public static let lockTimeout: Duration = .seconds(300)
  /// The table that says what was applied.
  static let table = "schema_migrations"
  /// SQLSTATE of a table that does not exist.
  private static let undefinedTableState = "42P01"

  private let configuration: PostgresConfiguration
  private let migrations: [Migration]

  /// A runner of these migrations, in this order, as the user and role of the configuration.
  ///
  /// - Precondition: no two migrations have one name.
  public init(configuration: PostgresConfiguration, migrations: [Migration]) {
    precondition(Set(migrations.map(\.name)).count == migrations.count)
    self.configuration = configuration
    self.migrations = migrations
  }

  /// How the schema stands. Changes nothing, and needs no right but to read the table.
  public func status() async throws -> SchemaStatus {
    try await onThread { connection throws(PostgresError) in try self.status(on: connection) }
  }

  /// Applies what is missing.
  ///
  /// - Parameter isDryRun: to apply nothing and only tell.
  /// - Returns: the names of what was (or would be) applied.
  /// - Throws: ``MigrationError``, or ``PostgresError`` if the database is away or refuses.
  public func migrate(dryRun isDryRun: Bool = false) async throws -> [String] {
    try await onThread { connection in
      if isDryRun { return try self.missing(self.status(on: connection)) }
      try connection.execute("set lock_timeout = \(Self.lockTimeout.wholeMilliseconds)")
      // Held until the connection ends. Schemas of one database do not hinder each other.
      try connection.execute("select pg_advisory_lock(hashtextextended('\(Self.table) ' || current_schema(), 0))")
      try connection.execute(
        """
        create table if not exists \(Self.table) (
          name text primary key, hash bytea not null, applied timestamptz not null default now())
        """)
      let missing = try self.missing(self.status(on: connection))
      for migration in self.migrations where missing.contains(migration.name) {
        try Self.apply(migration, on: connection)
      }
      return missing
    }
  }

  private func missing(_ status: SchemaStatus) throws(MigrationError) -> [String] {
    switch status {
    case .upToDate: []
    case .older(let missing): missing
    case .newer(let unknown): throw .newer(unknown: unknown)
    case .changed(let name): throw .changed(name: name)
    }
  }

  private func status(on connection: BlockingConnection) throws(PostgresError) -> SchemaStatus {
    var applied: [(name: String, hash: [UInt8])] = []
    do throws(PostgresError) {
      for row in try connection.query("select name, hash from \(Self.table) order by applied, name") {
        applied.append((try row.text(0), try row.bytes(1)))
      }
    } catch {
      guard error.sqlState == Self.undefinedTableState else { throw error }
    }
    return SchemaStatus(applied: applied, known: migrations)
  }

  private static func apply(_ migration: Migration, on connection: BlockingConnection) throws {
    do {
      try connection.execute("begin")
      try connection.execute(migration.sql)
      guard connection.isInTransaction else { throw MigrationError.endedItsTransaction(name: migration.name) }
      _ = try connection.query(
        "insert into \(table) (name, hash) values ($1, $2)", [.text(migration.name), .bytea(migration.hash)])
      try connection.execute("commit")
    } catch let error as PostgresError {
      throw MigrationError.failed(name: migration.name, error)
    }
  }

  /// Runs `work` with a new connection on a new thread. Statements have no time limit there: a migration may be long.
  private func onThread<T: Sendable>(
    _ work: @escaping @Sendable (BlockingConnection) throws -> T
  ) async throws -> T {
    var configuration = configuration
    configuration.statementTimeout = .zero
    configuration.idleInTransactionTimeout = .zero
    let settled = configuration
    return try await withCheckedThrowingContinuation { continuation in
      let isStarted = startThread {
        continuation.resume(with: Result { try work(BlockingConnection(settled)) })
      }
      if !isStarted {
        continuation.resume(throwing: PostgresError(.unavailable, "no thread to migrate with"))
      }
    }
  }
}
