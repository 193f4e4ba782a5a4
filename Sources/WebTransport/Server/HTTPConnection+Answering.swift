import Glibc
import HTTPFormat

extension HTTPConnection {
  // MARK: - Handlers

  /// Answers the request in `room`, which is all that a read has brought, behind the answers of other connections. False where
  /// the answer goes the connection's own way, or there is none yet.
  func answerAtOnce(
    _ room: inout HeadRoom, _ handler: any ImmediateHandler, behind answers: inout [UInt8]
  ) -> Bool {
    guard case .head = phase else { return false }
    let start = answers.count
    guard answer(room.head, handler, behind: &answers) else {
      pass(room.head)
      flush()
      return false
    }
    guard case .head = phase else {
      output = Array(answers[start...])
      answers.removeLast(answers.count - start)
      flush()
      return false
    }
    return true
  }

  /// Sends an answer that `answerAtOnce` has made.
  func send(_ answer: UnsafeRawBufferPointer) {
    guard let watch else { return }
    let sent = Glibc.send(watch.fileDescriptor, answer.baseAddress, answer.count, Int32(MSG_NOSIGNAL))
    guard sent < answer.count else { return }
    output = Array(answer)
    outputStart = max(sent, 0)
    flush()
  }

  /// Lets the request be answered. If that is done at once, the answer is in `output` when this returns.
  func handle(_ head: RequestHead) {
    guard let handler = service.batch?.handler else { return pass(head) }
    var answers = takeOutput()
    let isAnswered = answer(head, handler, behind: &answers)
    output = answers
    guard isAnswered else { return pass(head) }
    if !body.isEmpty { body = [] }
  }

  /// Lets a request be answered for which no answer was at hand.
  private func pass(_ head: RequestHead) {
    guard let begin = service.batch?.handler.begin(head) else { return start(head) }
    wait(head, begin)
  }

  /// Whether the answer was at hand.
  private func answer(
    _ head: borrowing RequestHead, _ handler: any ImmediateHandler, behind answers: inout [UInt8]
  ) -> Bool {
    let start = service.rules.observe == nil ? nil : ContinuousClock.now
    return append(to: head, since: start, behind: &answers) { head, output in
      handler.answer(head, body: body, to: &output)
    }
  }

  /// Whether `make` has appended the answer.
  func append(
    to head: borrowing RequestHead, since start: ContinuousClock.Instant?, behind answers: inout [UInt8],
    _ make: (borrowing RequestHead, inout ResponseOutput) -> Int?
  ) -> Bool {
    let keepAlive = head.keepAlive && !service.isStopping
    let before = answers.count
    var answer = ResponseOutput(behind: consume answers, to: head, keepAlive: keepAlive, date: loop.date)
    let status = make(head, &answer)
    answers = answer.take()
    guard let status else { return false }
    if start != nil {
      observe(
        copy head, bodyBytes: body.count, status: status, responseBytes: answers.count - before, start: start)
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

  /// Takes `output` out, or an array in its place, to be changed and put back. In place, each look at it would have to be
  /// checked for a change that is under way.
  func takeOutput() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &output)
    return taken.isEmpty ? service.takeOutput() : taken
  }

  func append(_ response: HTTPResponse, isHead: Bool, keepAlive: Bool, minorVersion: Int) {
    var bytes = takeOutput()
    ResponseSerializer.append(
      response, to: &bytes, isHead: isHead, keepAlive: keepAlive, date: loop.date, minorVersion: minorVersion)
    output = bytes
  }

  func write(_ more: [UInt8]) {
    var bytes = takeOutput()
    bytes.append(contentsOf: more)
    output = bytes
  }

  /// Sends what there is. When all of it has gone, the phase that waited for that goes on.
  func flush() {
    guard let watch else { return }
    let bytes = output
    while outputStart < bytes.count {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(
          watch.fileDescriptor, $0.baseAddress.map { $0 + outputStart }, $0.count - outputStart, Int32(MSG_NOSIGNAL))
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
    output = []
    service.giveBack(consume bytes)
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
      output = Array(output[outputStart...])
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
