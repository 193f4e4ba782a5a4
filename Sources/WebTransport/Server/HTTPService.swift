import CWebSockets
import Glibc
import HTTPFormat

/// What the connections of a server have in common, on all loops.
struct ServiceRules: Sendable {
  let configuration: WebConfiguration
  let handler: any WebHandler
  let observe: (@Sendable (WebExchange) -> Void)?
  let census: ConnectionCensus
  let webSockets: WebSocketHub
}

/// The part of a server that lives on one loop: it accepts connections and looks after them.
///
/// `@unchecked Sendable`: everything that changes belongs to the loop's thread, and its entries check that.
final class HTTPService: @unchecked Sendable {
  let loop: EventLoop
  let rules: ServiceRules
  /// Milliseconds, as connections use them.
  let limits: ServiceLimits
  private(set) var isStopping = false
  private(set) var immediate: (any ImmediateHandler)?
  private var listener: EventLoop.Watch?
  private var sweep: EventLoop.Timer?
  private var connections: [HTTPConnection] = []
  private var refusedCount = 0
  private var onDrained: (() -> Void)?
  /// An empty array with capacity, which goes from one connection that writes to the next; nil while one has it.
  private var spareOutput: [UInt8]?
  /// Where heads are read to; nil while one is.
  private var headRoom: HeadRoom?

  /// Connections accepted per event, so that one loop does not take all that wait for its sisters, nor forgets its own.
  private static let acceptsPerEvent = 64
  /// How long nothing is accepted after the system had no descriptor left.
  private static let acceptPause = Duration.milliseconds(100)
  /// Refused connections that are closed politely at the same time; further ones are cut.
  private static let mostRefused = 256
  /// Largest array that is kept as `spareOutput`.
  private static let mostSpareBytes = 1_048_576

  init(_ loop: EventLoop, _ rules: ServiceRules) {
    self.loop = loop
    self.rules = rules
    limits = ServiceLimits(rules.configuration)
  }

  /// Begins to accept on a listening socket, which is the service's from now on.
  func listen(on socket: Int32) throws(TransportError) {
    immediate = rules.handler.immediateHandler(on: loop)
    listener = try loop.adopt(socket, onReadable: { self.accept() }, onWritable: {})
    scheduleSweep()
  }

  private func accept() {
    guard let listener else { return }
    for _ in 0..<HTTPService.acceptsPerEvent {
      var storage = sockaddr_storage()
      let descriptor = cwebsockets_accept(listener.fileDescriptor, &storage)
      if descriptor < 0 {
        if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { pauseAccepting() }
        return
      }
      admit(descriptor, PeerAddress(storage))
    }
  }

  /// The connection that could not be accepted stays in the queue and would be reported again and again.
  private func pauseAccepting() {
    listener?.setReadable(false)
    loop.schedule(after: HTTPService.acceptPause) { [weak self] in self?.listener?.setReadable(true) }
  }

  private func admit(_ descriptor: Int32, _ peer: PeerAddress) {
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    let seat = rules.census.seat(for: peer.client)
    guard seat != nil || refusedCount < HTTPService.mostRefused else {
      close(descriptor)
      return
    }
    let connection = HTTPConnection(self, seat: seat, peerAddress: peer.text)
    guard connection.open(descriptor) else { return }
    connection.place = connections.count
    connections.append(connection)
    if seat == nil {
      refusedCount += 1
      connection.refuse(.tooManyConnections)
    }
  }

  /// Forgets a connection that has closed or become a WebSocket.
  func remove(_ connection: HTTPConnection) {
    guard connection.place >= 0 else { return }
    let last = connections.removeLast()
    if last !== connection {
      connections[connection.place] = last
      last.place = connection.place
    }
    connection.place = -1
    if connection.isRefused { refusedCount -= 1 }
    reportDrained()
  }

  // MARK: - Buffers

  /// An empty array to write into.
  func takeOutput() -> [UInt8] { spareOutput.take() ?? [] }

  /// Takes an array back that is no longer needed.
  func giveBack(_ output: consuming [UInt8]) {
    guard output.capacity <= HTTPService.mostSpareBytes, output.capacity > spareOutput?.capacity ?? 0 else { return }
    output.removeAll(keepingCapacity: true)
    spareOutput = output
  }

  /// Room to read a head into.
  func takeHeadRoom() -> HeadRoom { headRoom.take() ?? HeadRoom() }

  /// Takes the room back.
  func giveBack(_ room: consuming HeadRoom) { headRoom = room }

  // MARK: - Deadlines and the end

  private func scheduleSweep() {
    sweep = loop.schedule(after: .milliseconds(limits.sweepInterval)) { [weak self] in
      guard let self else { return }
      let now = loop.milliseconds
      // Backwards, because a connection that closes gives its place to the last one.
      for index in connections.indices.reversed() where index < connections.count {
        connections[index].checkDeadlines(now)
      }
      scheduleSweep()
    }
  }

  /// Stops accepting, closes idle connections, and answers what is under way; calls `whenDrained` when all are gone.
  func stop(_ whenDrained: @escaping () -> Void) {
    precondition(loop.isCurrent)
    isStopping = true
    listener?.cancel()
    listener = nil
    onDrained = whenDrained
    for connection in connections { connection.closeIfIdle() }
    reportDrained()
  }

  /// Closes what is left.
  func cut() {
    precondition(loop.isCurrent)
    for connection in connections { connection.close() }
    sweep?.cancel()
    sweep = nil
    reportDrained()
  }

  private func reportDrained() {
    guard isStopping, connections.isEmpty else { return }
    onDrained.take()?()
  }
}

/// The limits of a configuration that count for each event, in the units in which they are compared.
struct ServiceLimits: Sendable {
  let head: UInt64
  let body: UInt64
  let idle: UInt64
  let writing: UInt64
  let lingering: UInt64
  let slowestReading: UInt64
  let heads: HTTPLimits
  /// Bytes.
  let pendingInput: Int
  let pendingOutput: Int
  let sweepInterval: UInt64

  init(_ configuration: WebConfiguration) {
    let deadlines = configuration.deadlines
    head = deadlines.head.roundedMilliseconds
    body = deadlines.body.roundedMilliseconds
    idle = deadlines.idle.roundedMilliseconds
    writing = deadlines.writing.roundedMilliseconds
    lingering = deadlines.lingering.roundedMilliseconds
    slowestReading = UInt64(max(1, deadlines.slowestReading))
    heads = configuration.headLimits
    pendingInput = configuration.pendingInputBytes
    pendingOutput = configuration.pendingOutputBytes
    let shortest = min(head, body, idle, writing, lingering)
    sweepInterval = min(max(shortest / 4, 10), 1000)
  }
}
