import KeyRecords
import Registry
import WebTransport

/// The webhooks of all apps, on a loop of their own.
final class WebhookService: Sendable {
  private let loop: EventLoop
  private let client: WebClient
  private let senders: [WebhookSender]

  /// Connections to one receiver: apps may share it, and each needs one.
  private static let connectionsPerOrigin = 64
  /// For a connection to be made.
  private static let connectTimeout: Duration = .seconds(5)

  /// Starts delivering. When this returns, every entry that is accepted from now on will be delivered.
  ///
  /// - Returns: Nil if there is nothing to deliver to.
  /// - Throws: `TransportError` if the loop cannot be started, `RegistryUnavailable` if the database is away.
  static func start(
    _ configuration: RegistryServerConfiguration, registry: Registry, metrics: ServerMetrics
  ) async throws -> WebhookService? {
    guard !configuration.webhooks.isEmpty else { return nil }
    let timing = configuration.webhookTiming
    var web = WebClientConfiguration()
    web.connectTimeout = min(connectTimeout, timing.deadline)
    web.deadline = timing.deadline
    web.connectionsPerOrigin = connectionsPerOrigin
    let loop = try EventLoop.start(name: "webhooks")
    let parts = WebhookSender.Parts(
      registry: registry, client: WebClient(on: loop, configuration: web), timing: timing,
      logger: configuration.logger)
    let senders = configuration.webhooks.map { app, url in
      WebhookSender(app, to: url, parts, metrics: WebhookMetrics(app, metrics.backend))
    }
    let service = WebhookService(loop: loop, client: parts.client, senders: senders)
    do {
      for sender in senders { try await sender.start() }
    } catch {
      await service.stop()
      throw error
    }
    return service
  }

  private init(loop: EventLoop, client: WebClient, senders: [WebhookSender]) {
    self.loop = loop
    self.client = client
    self.senders = senders
  }

  /// Stops: notes what was taken, and lets other instances go on. Before the registry stops.
  func stop() async {
    await withTaskGroup(of: Void.self) { group in
      for sender in senders { group.addTask { await sender.stop() } }
    }
    await client.close()
    loop.stop()
  }
}
