import Cryptography
import Logging
import Migrations
public import Postgres

extension Registry {
  /// The steps of the schema, in the order in which they are applied.
  public static let migrations: [Migration] = Migrations.all.map { step in
    Migration(
      name: step.name, sql: String(decoding: step.sql, as: UTF8.self), hash: SHA256.hash(step.sql).bytes)
  }

  /// What brings a schema forward, or says how it stands.
  public static func migrationRunner(_ postgres: PostgresConfiguration) -> MigrationRunner {
    MigrationRunner(configuration: postgres, migrations: migrations)
  }

  static func prepareSchema(_ configuration: RegistryConfiguration) async throws {
    let runner = migrationRunner(configuration.postgres)
    do {
      if configuration.migratesSchema {
        for name in try await runner.migrate() { configuration.logger.notice("migrated the schema: \(name)") }
        return
      }
      switch try await runner.status() {
      case .upToDate: return
      case .older(let missing): throw RegistryStartError.schemaIsOlder(missing: missing)
      case .newer(let unknown): throw RegistryStartError.schemaIsNewer(unknown: unknown)
      case .changed(let name): throw RegistryStartError.schemaIsOther(migration: name)
      }
    } catch MigrationError.newer(let unknown) {
      throw RegistryStartError.schemaIsNewer(unknown: unknown)
    } catch MigrationError.changed(let name) {
      throw RegistryStartError.schemaIsOther(migration: name)
    } catch let error as PostgresError {
      throw RegistryStartError.databaseUnavailable(error.description)
    }
  }

  /// The configuration with the role that the service takes.
  static func serviceConfiguration(_ postgres: PostgresConfiguration) -> PostgresConfiguration {
    var postgres = postgres
    postgres.role = postgres.role ?? databaseRole
    return postgres
  }
}
