import ArgumentParser
import KeyRecords
import Logging
import Postgres
import PostgresCluster
import Registry
import RegistryServer
import WebTransport

/// Where the database is; the same for every command that touches it.
struct DatabaseOptions: ParsableArguments {
  @Option(
    name: .customLong("data"),
    help: ArgumentHelp(
      """
      The folder of the private Postgres cluster and of admin keys. [env: REGISTRAR_DATA; default: \
      /var/lib/peerstack-registrar as root, else ~/.local/share/peerstack-registrar]
      """, valueName: "dir"))
  var dataFlag: String?

  @Option(
    name: .customLong("database"),
    help: ArgumentHelp(
      "A Postgres database to use instead of the private cluster: postgresql://… or key=value …. [env: DATABASE_URL]",
      valueName: "url"))
  var databaseFlag: String?

  @Option(
    name: .customLong("database-password-file"),
    help: ArgumentHelp(
      "A file that holds the database's password. [env: REGISTRAR_DATABASE_PASSWORD_FILE]", valueName: "file"))
  var passwordFileFlag: String?

  var dataDirectory: String { Settings.text(dataFlag, "REGISTRAR_DATA") ?? Settings.defaultDataDirectory }

  /// Whether the command line says which database.
  var isNamedByFlag: Bool { dataFlag != nil || databaseFlag != nil }

  /// The database that was named; nil for the private cluster.
  func namedDatabase() throws -> PostgresConfiguration? {
    guard let address = Settings.text(databaseFlag, "DATABASE_URL") else { return nil }
    var configuration: PostgresConfiguration
    do {
      configuration = try PostgresConfiguration(conninfo: address)
    } catch {
      throw CommandFailure(error.message)
    }
    if let path = Settings.text(passwordFileFlag, "REGISTRAR_DATABASE_PASSWORD_FILE") {
      var text = try TextFile.read(path)
      while let last = text.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { text.removeLast() }
      configuration.password = String(decoding: text, as: UTF8.self)
    }
    return configuration
  }

  /// Runs `body` with the database: the named one, or the private cluster, which is started for the moment where no
  /// server runs it.
  func withDatabase<T>(_ body: (PostgresConfiguration) async throws -> T) async throws -> T {
    if let named = try namedDatabase() { return try await body(named) }
    return try await PrivateCluster.withCluster(ClusterConfiguration(directory: dataDirectory)) { connection in
      try await body(try PostgresConfiguration(conninfo: connection.conninfo))
    }
  }

  /// Runs `body` with the database, whose schema is up to date, and a loop to reach it from.
  func withRegistryDatabase<T>(_ body: (PostgresConfiguration, EventLoop) async throws -> T) async throws -> T {
    let isNamed = try namedDatabase() != nil
    return try await withDatabase { postgres in
      if !isNamed { _ = try await Registry.migrationRunner(postgres).migrate() }
      let loop = try EventLoop.start(name: "registry")
      defer { loop.stop() }
      return try await body(postgres, loop)
    }
  }

  /// Runs `body` with a registry on the database. The private cluster's schema is brought up to date first.
  func withRegistry<T>(_ body: (Registry) async throws -> T) async throws -> T {
    try await withRegistryDatabase { postgres, loop in
      let configuration = RegistryConfiguration(postgres: postgres, logger: CommandLog.logger(level: .warning))
      let registry = try await Registry.start(configuration, readLoops: [loop], commitLoop: loop)
      do {
        let value = try await body(registry)
        await registry.stop()
        return value
      } catch {
        await registry.stop()
        throw error
      }
    }
  }

  /// Runs `body` with one app of the registry.
  func withApp<T>(_ id: AppID, _ body: (Registry, RegistryApp) async throws -> T) async throws -> T {
    try await withRegistry { registry in
      guard let app = try await registry.app(id) else {
        throw CommandFailure(
          "there is no app \(id): see `registrar app list`, or make it with `registrar app create \(id)`")
      }
      return try await body(registry, app)
    }
  }
}

/// Logs go to standard error, so that standard output holds answers only.
enum CommandLog {
  static func logger(level: Logger.Level) -> Logger {
    var logger = Logger(label: "registrar") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    return logger
  }
}
