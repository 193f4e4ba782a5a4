import CWebSockets
import Glibc
import HTTPFormat
import Synchronization

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
  /// Nil without a handler for what is at hand.
  private(set) var batch: AnswerBatch?
  private var listener: EventLoop.Watch?
  private var sweep: EventLoop.Timer?
  private var connections = PlacedList<HTTPConnection>()
  private var refusedCount = 0
  private var onDrained: (() -> Void)?
  /// The services of the same server, this one among them; none once it is over. Set before it listens.
  private var sisters: [HTTPService] = []
  /// Connections, those on their way here from a sister among them. For sisters to look at.
  private let load = Atomic<Int>(0)
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
  ///
  /// - Parameter sisters: all services of the server.
  func listen(on socket: Int32, among sisters: [HTTPService]) throws(TransportError) {
    self.sisters = sisters
    batch = rules.handler.immediateHandler(on: loop).map { AnswerBatch(loop, heads: limits.heads, $0) }
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
      seat(descriptor, PeerAddress(storage))
    }
  }

  /// Gives a connection to the loop that has fewest. The system spreads them by chance, and of a few dozen that stay one
  /// loop may have half as many again as another, which then idles while its sister is behind.
  private func seat(_ descriptor: Int32, _ peer: PeerAddress) {
    let service = sisters.reduce(self) { $1.loadNow < $0.loadNow ? $1 : $0 }
    service.load.add(1, ordering: .relaxed)
    if service === self { return admit(descriptor, peer) }
    service.loop.execute { service.admit(descriptor, peer) }
  }

  private var loadNow: Int { load.load(ordering: .relaxed) }

  /// The connection that could not be accepted stays in the queue and would be reported again and again.
  private func pauseAccepting() {
    listener?.setReadable(false)
    loop.schedule(after: HTTPService.acceptPause) { [weak self] in self?.listener?.setReadable(true) }
  }

  /// Takes a connection that is counted already.
  private func admit(_ descriptor: Int32, _ peer: PeerAddress) {
    guard !isStopping else { return turnAway(descriptor) }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    let seat = rules.census.seat(for: peer.client)
    guard seat != nil || refusedCount < HTTPService.mostRefused else { return turnAway(descriptor) }
    let connection = HTTPConnection(self, seat: seat, peerAddress: peer.text)
    guard connection.open(descriptor) else {
      load.subtract(1, ordering: .relaxed)
      return
    }
    connections.insert(connection)
    if seat == nil {
      refusedCount += 1
      connection.refuse(.tooManyConnections)
    }
  }

  private func turnAway(_ descriptor: Int32) {
    close(descriptor)
    load.subtract(1, ordering: .relaxed)
  }

  /// Forgets a connection that has closed or become a WebSocket.
  func remove(_ connection: HTTPConnection) {
    guard connections.remove(connection) else { return }
    load.subtract(1, ordering: .relaxed)
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
      for index in connections.all.indices.reversed() where index < connections.all.count {
        connections.all[index].checkDeadlines(now)
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
    for connection in connections.all { connection.closeIfIdle() }
    reportDrained()
  }

  /// Closes what is left.
  func cut() {
    precondition(loop.isCurrent)
    for connection in connections.all { connection.close() }
    sisters = []
    sweep?.cancel()
    sweep = nil
    reportDrained()
  }

  private func reportDrained() {
    guard isStopping, connections.all.isEmpty else { return }
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
