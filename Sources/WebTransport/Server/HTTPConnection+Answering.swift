import Glibc
import HTTPFormat

extension HTTPConnection {
  // MARK: - Handlers

  /// Lets the request be answered. If that is done at once, the answer is in `output` when this returns.
  func handle(_ head: consuming RequestHead) {
    guard let immediate = service.immediate else { return start(head) }
    if answerAtOnce(head, immediate) {
      if !body.isEmpty { body = [] }
      service.headRoom.takeBack(head)
    } else if let begin = immediate.begin(head) {
      wait(head, begin)
    } else {
      start(head)
    }
  }

  /// Whether the answer was at hand.
  private func answerAtOnce(_ head: borrowing RequestHead, _ immediate: any ImmediateHandler) -> Bool {
    let start = service.rules.observe == nil ? nil : ContinuousClock.now
    return append(to: head, since: start) { head, output in immediate.answer(head, body: body, to: &output) }
  }

  /// Whether `answer` has appended one.
  func append(
    to head: borrowing RequestHead, since start: ContinuousClock.Instant?,
    _ answer: (borrowing RequestHead, inout ResponseOutput) -> Int?
  ) -> Bool {
    let keepAlive = head.keepAlive && !service.isStopping
    var earlier: [UInt8] = []
    swap(&earlier, &output)
    if earlier.isEmpty { earlier = service.takeOutput() }
    let before = earlier.count
    var room = ResponseOutput(behind: earlier, to: head, keepAlive: keepAlive, date: loop.date)
    let status = answer(head, &room)
    output = room.take()
    guard let status else { return false }
    if start != nil {
      observe(
        copy head, bodyBytes: body.count, status: status, responseBytes: output.count - before, start: start)
    }
    answered(keepAlive: keepAlive)
    return true
  }

  func start(_ head: RequestHead) {
    readDeadline = .max
    let request = WebRequest(head: head, body: body, peerAddress: peerAddress, loop: loop)
    let start = service.rules.observe == nil ? nil : ContinuousClock.now
    phase = .handling(HandledRequest(head: head, bodyBytes: body.count, start: start))
    body = []
    let handler = service.rules.handler
    isStartingHandler = true
    let started = Task.immediate(executorPreference: loop) {
      self.finish(await handler.respond(to: request))
    }
    isStartingHandler = false
    if case .handling = phase { task = started }
  }

  /// Takes the answer of the handler, exactly once: there is one only in the phase of handling.
  private func finish(_ answer: WebAnswer) {
    guard case .handling(let request) = phase else { return }
    task = nil
    switch answer {
    case .response(let response): respond(response, to: request)
    case .webSocket(let upgrade, let fields, let handler):
      observe(request, status: 101, responseBytes: 0)
      phase = .upgrading(upgrade, fields, handler)
    }
    // Inside of `process` the caller goes on and flushes.
    if !isStartingHandler { pump() }
  }

  func respond(_ response: HTTPResponse, to request: HandledRequest) {
    let head = request.head
    let keepAlive = head.keepAlive && !response.closesConnection && !service.isStopping
    let before = output.count
    append(response, isHead: head.method == .head, keepAlive: keepAlive, minorVersion: head.minorVersion)
    observe(request, status: response.status, responseBytes: output.count - before)
    answered(keepAlive: keepAlive)
  }

  private func answered(keepAlive: Bool) {
    hasAnswered = true
    hasBegunHead = false
    readDeadline = keepAlive ? loop.milliseconds + service.limits.idle : .max
    phase = keepAlive ? .head : .finishing
  }

  private func observe(_ request: HandledRequest, status: Int, responseBytes: Int) {
    observe(
      request.head, bodyBytes: request.bodyBytes, status: status, responseBytes: responseBytes, start: request.start)
  }

  func observe(_ head: RequestHead?, bodyBytes: Int, status: Int, responseBytes: Int, start: ContinuousClock.Instant?) {
    guard let observe = service.rules.observe else { return }
    let duration = start.map { ContinuousClock.now - $0 } ?? .zero
    observe(
      WebExchange(
        head: head, bodyBytes: bodyBytes, status: status, responseBytes: responseBytes,
        duration: duration, peerAddress: peerAddress))
  }

  // MARK: - Output

  func append(_ response: HTTPResponse, isHead: Bool, keepAlive: Bool, minorVersion: Int) {
    if output.isEmpty { output = service.takeOutput() }
    ResponseSerializer.append(
      response, to: &output, isHead: isHead, keepAlive: keepAlive, date: loop.date, minorVersion: minorVersion)
  }

  func write(_ bytes: [UInt8]) {
    if output.isEmpty { output = service.takeOutput() }
    output.append(contentsOf: bytes)
  }

  /// Sends what there is. When all of it has gone, the phase that waited for that goes on.
  func flush() {
    guard let watch else { return }
    while outputStart < output.count {
      let sent = output.withUnsafeBytes {
        send(watch.fileDescriptor, $0.baseAddress.map { $0 + outputStart }, $0.count - outputStart, Int32(MSG_NOSIGNAL))
      }
      if sent < 0 {
        if errno == EINTR { continue }
        guard errno == EAGAIN else {
          close()
          return
        }
        waitForReader(watch)
        return
      }
      outputStart += sent
    }
    outputStart = 0
    service.giveBack(&output)
    writeDeadline = .max
    switch phase {
    case .finishing: startLingering(watch)
    case .upgrading(let upgrade, let fields, let handler): handOver(watch, upgrade, fields, handler)
    default: break
    }
  }

  private func waitForReader(_ watch: EventLoop.Watch) {
    watch.requestWritable()
    // What has been sent is dropped once it is the larger part: a long answer is not kept whole for a slow reader.
    if outputStart > output.count / 2 {
      output.removeFirst(outputStart)
      outputStart = 0
    }
    guard writeDeadline == .max else { return }
    let allowance = UInt64(unsentBytes) * 1000 / service.limits.slowestReading
    writeDeadline = loop.milliseconds + service.limits.writing + allowance
  }

  // MARK: - The end

  private func startLingering(_ watch: EventLoop.Watch) {
    guard !hasPeerEnded else {
      close()
      return
    }
    shutdown(watch.fileDescriptor, Int32(SHUT_WR))
    phase = .lingering
    input = []
    inputStart = 0
    readDeadline = loop.milliseconds + service.limits.lingering
    watch.setReadable(true)
  }

  /// Gives the connection to libwebsockets: a duplicate of the socket, our own words of the handshake, and whatever the
  /// client has sent behind it.
  private func handOver(
    _ watch: EventLoop.Watch, _ upgrade: WebSocketUpgrade, _ fields: HTTPFields, _ handler: any WebSocketHandler
  ) {
    let descriptor = fcntl(watch.fileDescriptor, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0, let seat, !service.isStopping else {
      if descriptor >= 0 { Glibc.close(descriptor) }
      close()
      return
    }
    let handshake = WebSocketHandshake(
      descriptor: descriptor, input: upgrade.canonicalRequest() + input[inputStart...], fields: fields,
      peerAddress: peerAddress, seat: seat, handler: handler)
    close()
    service.rules.webSockets.open(handshake)
  }
}
