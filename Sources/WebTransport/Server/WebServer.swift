import CWebSockets
import Glibc
import Synchronization

/// An HTTP/1.1 and WebSocket server.
///
/// Each loop has a listening socket of its own, and about as many connections as its sisters; WebSockets move to one loop
/// of their own. The loops belong to the caller, who stops them after the server.
public final class WebServer: Sendable {
  /// The port it listens on.
  public let port: UInt16
  /// Most connections: that of the configuration, or what the process has descriptors for, if that is less.
  public let connectionLimit: Int
  private let services: [HTTPService]
  private let webSockets: WebSocketHub
  private let census: ConnectionCensus

  /// Descriptors that are kept for everything but clients: databases, files, listeners, sockets that change hands.
  private static let reservedDescriptors = 128

  /// Connections at present, WebSockets among them.
  public var openConnections: Int { census.total }

  /// WebSockets at present.
  public var openWebSockets: Int { webSockets.count.load(ordering: .relaxed) }

  private init(
    port: UInt16, connectionLimit: Int, services: [HTTPService], webSockets: WebSocketHub, census: ConnectionCensus
  ) {
    self.port = port
    self.connectionLimit = connectionLimit
    self.services = services
    self.webSockets = webSockets
    self.census = census
  }

  /// A server that takes connections.
  ///
  /// - Parameters:
  ///   - loops: One or more, for HTTP.
  ///   - webSocketLoop: For WebSockets; it may be one of `loops`.
  ///   - observe: Called on the connection's loop for every answer; nil costs nothing.
  public static func start(
    _ configuration: WebConfiguration, on loops: [EventLoop], webSocketLoop: EventLoop, handler: any WebHandler,
    observe: (@Sendable (WebExchange) -> Void)? = nil
  ) async throws -> WebServer {
    let room = Int(LibraryStart.currentDescriptorLimit) - reservedDescriptors
    let limit = max(1, min(configuration.connections, room))
    let census = ConnectionCensus(limit: limit, limitPerClient: configuration.connectionsPerAddress)
    let hub = WebSocketHub(webSocketLoop, configuration.webSocket)
    try await webSocketLoop.run { try hub.start() }
    let rules = ServiceRules(
      configuration: configuration, handler: handler, observe: observe, census: census, webSockets: hub)
    let (sockets, port) = try Listening.open(host: configuration.host, port: configuration.port, count: loops.count)
    let services = loops.map { HTTPService($0, rules) }
    let server = WebServer(
      port: port, connectionLimit: limit, services: services, webSockets: hub, census: census)
    for (index, service) in services.enumerated() {
      do {
        try await service.loop.run { try service.listen(on: sockets[index], among: services) }
      } catch {
        for socket in sockets[(index + 1)...] { close(socket) }
        await server.stop(deadline: .zero)
        throw error
      }
    }
    return server
  }

  /// Stops: accepts nothing more, closes idle connections, answers what is under way with `Connection: close`, closes
  /// WebSockets with 1001, and cuts what is still there after `deadline`. Returns when all connections are gone.
  public func stop(deadline: Duration, reason: String = "going-away") async {
    await withTaskGroup(of: Void.self) { group in
      for service in services {
        group.addTask {
          await service.loop.drain(within: deadline) {
            service.stop($0)
          } cut: {
            service.cut()
          }
          await service.loop.run { service.cut() }
        }
      }
      group.addTask { [webSockets] in
        await webSockets.loop.drain(within: deadline) {
          webSockets.stop(reason: reason, $0)
        } cut: {
          webSockets.cut()
        }
        await webSockets.loop.run { webSockets.cut() }
      }
    }
  }
}

extension EventLoop {
  /// Runs `body` on the loop and waits for it.
  func run<Failure: Error>(_ body: @escaping @Sendable () throws(Failure) -> Void) async throws(Failure) {
    let result: Result<Void, Failure> = await withCheckedContinuation { continuation in
      execute {
        let result: Result<Void, Failure>
        do throws(Failure) {
          result = .success(try body())
        } catch {
          result = .failure(error)
        }
        continuation.resume(returning: result)
      }
    }
    try result.get()
  }

  /// Runs `begin` on the loop and waits until it calls its argument, or for the deadline, when `cut` runs, and then still
  /// for that call.
  fileprivate func drain(
    within deadline: Duration, begin: @escaping @Sendable (@escaping () -> Void) -> Void,
    cut: @escaping @Sendable () -> Void
  ) async {
    await withCheckedContinuation { continuation in
      execute {
        let timer = self.schedule(after: deadline) { cut() }
        begin {
          timer.cancel()
          continuation.resume()
        }
      }
    }
  }
}
