import Glibc
import HTTPFormat

/// One connection of a client, from its first byte to its last answer or its upgrade.
///
/// Requests are read and answered one after the other. Whatever one read brings is answered with one write. While a
/// handler waits, further requests are taken in up to a limit.
///
/// `@unchecked Sendable`: it belongs to the thread of its loop. Handlers' tasks refer to it and come back on that
/// thread; one that comes back after the loop has ended finds it closed.
final class HTTPConnection: Placed, @unchecked Sendable {
  /// Indirect, so that it is a word: it is asked several times for each request.
  indirect enum Phase {
    /// Waits for a head, or is in the middle of one.
    case head
    case body(RequestHead, byteCount: Int)
    /// A handler is at work.
    case handling(HandledRequest)
    /// The last answer is being sent; then the connection lingers.
    case finishing
    /// What came before the upgrade is being sent; then the connection changes hands.
    case upgrading(WebSocketUpgrade, HTTPFields, any WebSocketHandler)
    /// Our end is closed; what the client still sends is dropped until it closes too.
    case lingering
    case closed
  }

  struct HandledRequest {
    let head: RequestHead
    let bodyBytes: Int
    /// Nil when nobody observes.
    let start: ContinuousClock.Instant?
  }

  let service: HTTPService
  let peerAddress: String
  private(set) var seat: ConnectionSeat?
  let isRefused: Bool
  /// Index among the connections of the service; -1 outside.
  var place = -1
  var phase = Phase.head
  private(set) var watch: EventLoop.Watch?
  var parser: RequestParser
  /// Received and not yet used, from `inputStart` on.
  var input: [UInt8] = []
  var inputStart = 0
  var body: [UInt8] = []
  /// To be sent, from `outputStart` on.
  var output: [UInt8] = []
  var outputStart = 0
  /// Milliseconds; `UInt64.max` for none.
  var readDeadline = UInt64.max
  var writeDeadline = UInt64.max
  var hasBegunHead = false
  var hasAnswered = false
  /// Whether requests were left alone because too much was to be sent.
  var isHeldUp = false
  var hasPeerEnded = false
  var lingeredBytes = 0
  var task: Task<Void, Never>?
  var isStartingHandler = false
  /// Of the last request that waited for an `ImmediateHandler`, or one more when it does not wait any more.
  var pendingNumber: UInt64 = 0

  /// Bytes that a lingering connection may still send.
  static let mostLingeredBytes = 1_048_576

  /// Used bytes at the beginning of `input` that are moved away.
  static let mostUsedInputBytes = 16_384

  init(_ service: HTTPService, seat: ConnectionSeat?, peerAddress: String) {
    self.service = service
    self.seat = seat
    self.peerAddress = peerAddress
    isRefused = seat == nil
    parser = RequestParser(limits: service.limits.heads)
  }

  var loop: EventLoop { service.loop }
  var unsentBytes: Int { output.count - outputStart }

  /// Begins to read from an accepted socket; false, with the socket closed, when that is not possible.
  func open(_ descriptor: Int32) -> Bool {
    guard
      let watch = try? loop.adopt(
        descriptor, byEdge: true, onReadable: { self.readable() }, onWritable: { self.writable() })
    else { return false }
    self.watch = watch
    readDeadline = loop.milliseconds + service.limits.head
    return true
  }

  func close() {
    if case .closed = phase { return }
    phase = .closed
    // First: a client that sees the end may come again at once.
    seat = nil
    leave()
    task.take()?.cancel()
    input = []
    body = []
    output = []
    outputStart = 0
  }

  /// Takes the connection out of the service and gives its socket up.
  func leave() {
    watch.take()?.cancel()
    service.remove(self)
  }

  /// Closes the connection without sending what the system still holds for the client.
  func cut() {
    guard let watch else { return }
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(watch.fileDescriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  // MARK: - Deadlines

  func checkDeadlines(_ now: UInt64) {
    if now >= writeDeadline {
      cut()
    } else if now >= readDeadline {
      close()
    }
  }

  /// The server stops: a connection between two requests closes, others close after their answer.
  func closeIfIdle() {
    if case .head = phase, !hasBegunHead, unsentBytes == 0 { close() }
  }

  // MARK: - Events

  private func readable() {
    guard let watch else { return }
    let batch = isBetweenRequests ? service.batch : nil
    let room = batch?.receivingRoom() ?? loop.scratch
    let count = recv(watch.fileDescriptor, room.baseAddress, room.count, 0)
    // More may wait than one read takes. It is not read at once, so that one client does not hold up the others.
    if count == room.count { watch.lookAgain() }
    guard count > 0 else {
      if count == 0 {
        peerEnded()
      } else if errno == EINTR {
        watch.lookAgain()
      } else if errno != EAGAIN {
        close()
      }
      return
    }
    if let batch {
      batch.take(self, byteCount: count)
    } else {
      received(UnsafeRawBufferPointer(rebasing: room[..<count]))
    }
  }

  /// Whether the next bytes begin a request, and nothing is left of those before it.
  private var isBetweenRequests: Bool {
    guard case .head = phase else { return false }
    return !hasBegunHead && input.isEmpty && output.isEmpty
  }

  /// Goes on with bytes that were just received.
  func received(_ received: UnsafeRawBufferPointer) {
    switch phase {
    case .head, .body:
      if input.isEmpty, unsentBytes < service.limits.pendingOutput {
        isHeldUp = false
        let used = received.withMemoryRebound(to: UInt8.self) { process($0) }
        keep(UnsafeRawBufferPointer(rebasing: received[used...]))
        flush()
        if isHeldUp { pump() }
      } else {
        keep(received)
        pump()
      }
    case .handling, .upgrading: keep(received)
    case .lingering:
      lingeredBytes += received.count
      if lingeredBytes > HTTPConnection.mostLingeredBytes { close() }
    case .finishing, .closed: break
    }
  }

  private func writable() {
    flush()
    pump()
  }

  private func keep(_ bytes: UnsafeRawBufferPointer) {
    switch phase {
    case .finishing, .lingering, .closed: return
    default: break
    }
    guard !bytes.isEmpty else { return }
    // Changed outside of the object: see `takeOutput`.
    var kept: [UInt8] = []
    swap(&kept, &input)
    kept.append(contentsOf: bytes)
    input = kept
    if input.count - inputStart >= service.limits.pendingInput { watch?.setReadable(false) }
  }

  /// The client sends nothing more. It may have gone, or wait for its answers.
  private func peerEnded() {
    hasPeerEnded = true
    watch?.setReadable(false)
    switch phase {
    case .head, .body:
      if unsentBytes > 0 {
        if inputStart == input.count { phase = .finishing }
      } else {
        close()
      }
    case .lingering, .upgrading: close()
    case .handling, .finishing, .closed: break
    }
  }

  // MARK: - Requests

  /// Goes on with what was received earlier, and sends what that leads to, until requests or the client's patience end.
  func pump() {
    repeat {
      isHeldUp = false
      processInput()
      flush()
    } while isHeldUp && unsentBytes < service.limits.pendingOutput
    readOn()
  }

  private func processInput() {
    guard inputStart < input.count else { return }
    var pending: [UInt8] = []
    swap(&pending, &input)
    let start = inputStart
    inputStart = 0
    let used = pending.withUnsafeBufferPointer { process(UnsafeBufferPointer(rebasing: $0[start...])) }
    switch phase {
    case .finishing, .lingering, .closed: return
    default: break
    }
    guard start + used < pending.count else { return }
    inputStart = start + used
    if inputStart >= HTTPConnection.mostUsedInputBytes {
      pending.removeFirst(inputStart)
      inputStart = 0
    }
    input = pending
  }

  private func readOn() {
    guard !hasPeerEnded else {
      if case .head = phase, unsentBytes < service.limits.pendingOutput { endAfterPeer() }
      return
    }
    if input.count - inputStart < service.limits.pendingInput { watch?.setReadable(true) }
  }

  /// Every whole request of a client that has ended its side is answered: nothing more will come.
  private func endAfterPeer() {
    phase = .finishing
    input = []
    inputStart = 0
    flush()
  }

  /// Reads requests from the beginning of `bytes` and starts their handlers. Returns how many bytes were used.
  private func process(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var used = 0
    while used < bytes.count {
      guard unsentBytes < service.limits.pendingOutput else {
        isHeldUp = true
        return used
      }
      let rest = UnsafeBufferPointer(rebasing: bytes[used...])
      switch phase {
      case .head:
        var room = service.takeHeadRoom()
        let progress = parser.parse(rest.span, into: &room)
        let head = room.head
        service.giveBack(room)
        switch progress {
        case .incomplete:
          beginHead()
          return used
        case .complete(let byteCount):
          used += byteCount
          begin(head, hasBody: used < bytes.count)
        case .fault(let fault):
          refuse(.framing(fault))
        }
      case .body(let head, let byteCount):
        let taken = min(byteCount - body.count, rest.count)
        body.append(contentsOf: rest[..<taken])
        used += taken
        if body.count == byteCount { handle(head) }
      case .finishing, .lingering, .closed: return bytes.count
      case .handling, .upgrading: return used
      }
    }
    return used
  }

  private func beginHead() {
    guard !hasBegunHead else { return }
    hasBegunHead = true
    // The deadline of the first head counts from the connection.
    if hasAnswered { readDeadline = loop.milliseconds + service.limits.head }
  }

  private func begin(_ head: RequestHead, hasBody: Bool) {
    let length = head.contentLength ?? 0
    guard length > 0 else {
      handle(head)
      return
    }
    let limit = service.rules.handler.bodyLimit(for: head)
    guard length <= limit else {
      refuse(.bodyTooLarge(limit: limit), head: head)
      return
    }
    body = []
    let isWaitedFor = head.expectsContinue && !hasBody
    phase = .body(head, byteCount: length)
    readDeadline = loop.milliseconds + service.limits.body
    if isWaitedFor { write(HTTPConnection.continueResponse) }
  }

  private static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// Answers what is not handled, and closes.
  func refuse(_ fault: ConnectionFault, head: RequestHead? = nil) {
    let response = service.rules.handler.response(to: fault)
    let before = output.count
    append(response, isHead: head?.method == .head, keepAlive: false, minorVersion: head?.minorVersion ?? 1)
    observe(head, bodyBytes: 0, status: response.status, responseBytes: output.count - before, start: nil)
    phase = .finishing
    if isRefused { flush() }
  }
}
