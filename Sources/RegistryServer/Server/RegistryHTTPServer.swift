import Logging
import Postgres
public import Registry
import RegistryAPI
import WebTransport

/// A registrar that serves: loops, registry and web server put together.
public final class RegistryHTTPServer: Sendable {
  /// The port it listens on.
  public let port: UInt16
  /// `http://HOST:PORT`, as it was bound.
  public let url: String
  /// The service behind it.
  public let registry: Registry
  private let web: WebServer
  private let events: EventHub
  private let webhooks: WebhookService?
  private let loops: ServerLoops

  private init(
    url: String, registry: Registry, web: WebServer, events: EventHub, webhooks: WebhookService?, loops: ServerLoops
  ) {
    port = web.port
    self.url = url
    self.registry = registry
    self.web = web
    self.events = events
    self.webhooks = webhooks
    self.loops = loops
  }

  /// Starts everything; when this returns, requests are answered.
  ///
  /// - Throws: `RegistryStartError` and `MigrationError` of the registry, `TransportError` of sockets and threads.
  public static func start(_ configuration: RegistryServerConfiguration) async throws -> RegistryHTTPServer {
    let loops = try ServerLoops(httpLoops: configuration.loops)
    do {
      let registry = try await Registry.start(
        configuration.registry, readLoops: loops.http + [loops.webSockets], commitLoop: loops.commits)
      do {
        return try await start(configuration, registry, loops)
      } catch {
        await registry.stop()
        throw error
      }
    } catch {
      loops.stop()
      throw error
    }
  }

  private static func start(
    _ configuration: RegistryServerConfiguration, _ registry: Registry, _ loops: ServerLoops
  ) async throws -> RegistryHTTPServer {
    let metrics = ServerMetrics()
    let events = EventHub(on: loops.webSockets, metrics: metrics)
    let location = ServerLocation(configuration.publicURL)
    let handler = RegistryHandler(
      HandlerParts(
        registry: registry, claimsPerAddress: configuration.claimsPerAddress,
        trustedProxies: configuration.trustedProxies, metrics: metrics, events: events, location: location,
        logger: configuration.logger))
    var web = configuration.web
    web.webSocket.messageBytes = APILimits.eventMessageBytes
    if !configuration.trustedProxies.isEmpty { web.connectionsPerAddress = web.connections }
    // Before anything can be accepted.
    let webhooks = try await WebhookService.start(configuration, registry: registry, metrics: metrics)
    let server: WebServer
    do {
      server = try await WebServer.start(web, on: loops.http, webSocketLoop: loops.webSockets, handler: handler)
    } catch {
      await webhooks?.stop()
      throw error
    }
    location.bound(to: web.host, port: server.port)
    metrics.attach(server)
    let url = ServerLocation.url(host: web.host, port: server.port)
    return RegistryHTTPServer(
      url: url, registry: registry, web: server, events: events, webhooks: webhooks, loops: loops)
  }

  /// Stops: accepts nothing more, answers what is under way, closes WebSockets with `going-away`, and ends what is still
  /// there after `deadline`. Not from one of its own loops.
  public func stop(deadline: Duration) async {
    await web.stop(deadline: deadline, reason: EventClose.goingAway.reason)
    await webhooks?.stop()
    await events.stop()
    await registry.stop()
    loops.stop()
  }
}

/// The threads of a server.
private struct ServerLoops {
  let http: [EventLoop]
  /// Fan-out to thousands must not delay requests.
  let webSockets: EventLoop
  /// Judging and committing must not delay look-ups.
  let commits: EventLoop

  init(httpLoops: Int) throws {
    var started: [EventLoop] = []
    do {
      for number in 0..<max(1, httpLoops) { started.append(try EventLoop.start(name: "http \(number)")) }
      http = started
      started.append(try EventLoop.start(name: "websockets"))
      webSockets = started[started.count - 1]
      commits = try EventLoop.start(name: "commits")
    } catch {
      for loop in started { loop.stop() }
      throw error
    }
  }

  func stop() {
    for loop in http + [webSockets, commits] { loop.stop() }
  }
}
