import Glibc
import HTTPFormat

extension HTTPConnection {
  // MARK: - Handlers

  /// Answers the whole requests without a body at the beginning of `bytes` for which that can be done at once, and sends the
  /// answers if nothing else follows; the first one that its handler takes on to answer later is the last. Returns how many
  /// bytes were used. It does nothing in the middle of a head.
  ///
  /// This is the way of almost every request, and nothing but a short cut: what it leaves is dealt with as if it had never
  /// been here.
  func answerAtOnce(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    guard case .head = phase, !hasBegunHead, output.isEmpty, let immediate = service.immediate else { return 0 }
    var parser = RequestParser(limits: service.limits.heads)
    var room = service.takeHeadRoom()
    var answers = service.takeOutput()
    var used = 0
    var waiting: (head: RequestHead, begin: (PendingAnswer) -> Void)?
    while waiting == nil, used < bytes.count, answers.count < service.limits.pendingOutput, case .head = phase {
      let rest = UnsafeBufferPointer(rebasing: bytes[used...])
      guard case .complete(let byteCount) = parser.parse(rest.span, into: &room),
        room.head.contentLength ?? 0 == 0
      else { break }
      if !answer(room.head, immediate, behind: &answers) {
        guard let begin = immediate.begin(room.head) else { break }
        waiting = (room.head, begin)
      }
      used += byteCount
    }
    service.giveBack(consume room)
    if used == bytes.count, waiting == nil, case .head = phase {
      deliver(consume answers)
    } else {
      output = consume answers
    }
    if let waiting { wait(waiting.head, waiting.begin) }
    return used
  }

  /// Sends answers, with nothing before them.
  private func deliver(_ answers: consuming [UInt8]) {
    guard let watch else { return }
    let sent = answers.withUnsafeBytes { send(watch.fileDescriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard sent < answers.count else { return service.giveBack(consume answers) }
    output = answers
    outputStart = max(sent, 0)
    flush()
  }

  /// Lets the request be answered. If that is done at once, the answer is in `output` when this returns.
  func handle(_ head: RequestHead) {
    guard let immediate = service.immediate else { return start(head) }
    var answers = takeOutput()
    let isAnswered = answer(head, immediate, behind: &answers)
    output = answers
    if isAnswered {
      if !body.isEmpty { body = [] }
    } else if let begin = immediate.begin(head) {
      wait(head, begin)
    } else {
      start(head)
    }
  }

  /// Whether the answer was at hand.
  private func answer(
    _ head: borrowing RequestHead, _ immediate: any ImmediateHandler, behind answers: inout [UInt8]
  ) -> Bool {
    let start = service.rules.observe == nil ? nil : ContinuousClock.now
    return append(to: head, since: start, behind: &answers) { head, output in
      immediate.answer(head, body: body, to: &output)
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
