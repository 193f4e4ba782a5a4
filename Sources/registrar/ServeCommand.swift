import ArgumentParser
import KeyRecords
import Logging
import Postgres
import PostgresCluster
import Registry
import RegistryServer
import WebTransport

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve apps.",
    discussion: """
      Without --database it starts and supervises a Postgres cluster of its own in the data folder, which needs no \
      configuration. When it is ready it prints `listening on http://HOST:PORT`. SIGTERM and SIGINT stop it gracefully. \
      TLS is a reverse proxy's work: see docs/operating.md.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var network: NetworkOptions
  @OptionGroup var service: ServiceOptions

  func run() async throws {
    let shutdown = try ShutdownSignal.install()
    let logger = CommandLog.logger(level: try service.level())
    let named = try database.namedDatabase()
    let wait = DatabaseWait(limit: try service.databaseWait(), logger: logger)
    let cluster = named == nil ? Self.cluster(database.dataDirectory, logger) : nil
    let postgres: PostgresConfiguration
    if let named {
      guard try await wait.untilAnswered(named, or: shutdown) else { return }
      postgres = named
    } else if let cluster {
      let connection = try cluster.start()
      logger.info("the private cluster runs", metadata: ["adopted": "\(connection.wasAdopted)"])
      postgres = try PostgresConfiguration(conninfo: connection.conninfo)
    } else {
      return
    }
    defer { stop(cluster, logger) }
    var registry = RegistryConfiguration(
      postgres: postgres, memoryBytes: try service.memoryBytes(),
      migratesSchema: cluster != nil || service.migratesSchema(), logger: logger)
    registry.logger = logger
    var configuration = RegistryServerConfiguration(web: try network.web(), registry: registry, logger: logger)
    try network.apply(to: &configuration)
    try service.apply(to: &configuration)
    let server = try await RegistryHTTPServer.start(configuration)
    do {
      try await AppSetup(dataDirectory: database.dataDirectory).create(
        try service.appIDs(), adminKeyFile: service.adminKeyFile(), in: server.registry)
      TextFile.print(Array("listening on \(server.url)".utf8))
      let name = await shutdown.wait()
      logger.info("stopping", metadata: ["signal": "\(name)"])
    } catch {
      await server.stop(deadline: Self.stopDeadline)
      throw error
    }
    await server.stop(deadline: Self.stopDeadline)
  }

  /// How long requests that are under way may take after a signal.
  private static let stopDeadline: Duration = .seconds(10)

  private static func cluster(_ directory: String, _ logger: Logger) -> PrivateCluster {
    PrivateCluster(ClusterConfiguration(directory: directory)) { event in
      switch event {
      case .died(let processID): logger.error("postgres died", metadata: ["pid": "\(processID)"])
      case .restarted(let processID): logger.notice("postgres runs again", metadata: ["pid": "\(processID)"])
      case .restartFailed(let error): logger.error("postgres does not start: \(error)")
      }
    }
  }

  private func stop(_ cluster: PrivateCluster?, _ logger: Logger) {
    do {
      try cluster?.stop()
    } catch {
      logger.error("cannot stop the private cluster: \(error)")
    }
  }
}
