import CWebSockets
import Glibc
import HTTPFormat
import Synchronization

/// A connection that changes from HTTP to WebSocket.
struct WebSocketHandshake: Sendable {
  /// A socket, owned.
  let descriptor: Int32
  /// The handshake in our words and what the client has sent behind its own.
  let input: [UInt8]
  let fields: HTTPFields
  let peerAddress: String
  let seat: ConnectionSeat
  let handler: any WebSocketHandler
}

/// The WebSockets of a server, all on one loop.
///
/// `@unchecked Sendable`: everything that changes belongs to the loop's thread, but for the atomic count.
final class WebSocketHub: @unchecked Sendable {
  let loop: EventLoop
  let limits: WebConfiguration.WebSocketLimits
  let count = Atomic<Int>(0)
  private var connections = PlacedList<WebSocketConnection>()
  private var isStopping = false
  private var onDrained: (() -> Void)?
  private var lifeTimer: EventLoop.Timer?

  init(_ loop: EventLoop, _ limits: WebConfiguration.WebSocketLimits) {
    self.loop = loop
    self.limits = limits
  }

  /// Makes the loop ready for WebSockets. On the loop.
  func start() throws(TransportError) {
    if loop.webSocketHost == nil {
      // libwebsockets chooses the vhost anew, by the `Host` of our handshake (`WebSocketUpgrade.canonicalRequest`).
      loop.webSocketHost = try loop.makeHost("localhost", protocols: WebSocketProtocol.list) { info in
        info.retry_and_idle_policy = WebSocketProtocol.noLifeChecks
      }
    }
    scheduleLifeChecks()
  }

  /// Takes a connection over. From any thread.
  func open(_ handshake: WebSocketHandshake) {
    loop.execute { self.adopt(handshake) }
  }

  private func adopt(_ handshake: WebSocketHandshake) {
    guard !isStopping, handshake.descriptor < loop.descriptorLimit else {
      close(handshake.descriptor)
      return
    }
    loop.webSocketInHandover = WebSocketConnection(self, handshake)
    handshake.input.withUnsafeBytes { bytes in
      let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      // The answer, `opened` and the first messages happen in here. On failure libwebsockets closes the socket.
      _ = lws_adopt_socket_vhost_readbuf(loop.webSocketHost, handshake.descriptor, text, bytes.count)
    }
    loop.webSocketInHandover = nil
  }

  func insert(_ connection: WebSocketConnection) {
    connections.insert(connection)
    count.add(1, ordering: .relaxed)
  }

  func remove(_ connection: WebSocketConnection) {
    guard connections.remove(connection) else { return }
    count.subtract(1, ordering: .relaxed)
    reportDrained()
  }

  private func scheduleLifeChecks() {
    let interval = min(limits.pingInterval, limits.pongDeadline) / 4
    lifeTimer = loop.schedule(after: max(interval, .milliseconds(10))) { [weak self] in
      guard let self else { return }
      let now = loop.milliseconds
      for connection in connections.all { connection.checkLife(now) }
      scheduleLifeChecks()
    }
  }

  /// Closes all with 1001; calls `whenDrained` when all are gone. On the loop.
  func stop(reason: String, _ whenDrained: @escaping () -> Void) {
    isStopping = true
    onDrained = whenDrained
    for connection in connections.all { connection.close(code: 1001, reason: reason) }
    reportDrained()
  }

  /// Ends what is left. On the loop.
  func cut() {
    lifeTimer?.cancel()
    for connection in connections.all { connection.cut() }
  }

  private func reportDrained() {
    guard isStopping, connections.all.isEmpty else { return }
    onDrained.take()?()
  }
}
