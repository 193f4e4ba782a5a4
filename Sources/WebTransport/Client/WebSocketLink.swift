import HTTPFormat
import Synchronization

/// What a `WebSocketClient` is on its loop.
///
/// `@unchecked Sendable`: `closure` is behind a lock; everything else that changes belongs to the loop's thread.
final class WebSocketLink: ClientStreamOwner, @unchecked Sendable {
  private enum State {
    case opening
    case open
    /// Our closing frame is sent, the server's is waited for.
    case closing
    case ended
  }

  let engine: WebClientEngine
  let closure = Mutex<WebSocketClosure?>(nil)
  private let opening: WebSocketOpening
  private let limits: WebSocketClientLimits
  private var state = State.opening
  private var attempt: ConnectAttempt?
  private var stream: ClientStream?
  private var response: ResponseReader
  private var frames: WebSocketFrameReader
  private var onOpened: (@Sendable (Result<Void, WebClientError>) -> Void)?
  private var onClosed: [@Sendable () -> Void] = []
  /// Ends the opening or the closing; in between, it looks for signs of life.
  private var timer: EventLoop.Timer?
  private var lastHeard: UInt64 = 0
  /// When the server was asked for a sign of life that has not come yet.
  private var pingSent: UInt64?
  private var isPaused = false
  private var inbox = WebSocketInbox()
  /// What comes behind the last message: an error, or the orderly end.
  private var ending: Result<[UInt8]?, WebClientError>?
  private var readings: [WebSocketReading] = []
  private var generator = SystemRandomNumberGenerator()

  /// Bytes that may wait to be sent when a ping is answered: a server that asks but does not listen gets no more.
  private static let mostUnsentForPong = 65_536

  init(_ engine: WebClientEngine, _ opening: WebSocketOpening, _ limits: WebSocketClientLimits) {
    self.engine = engine
    self.opening = opening
    self.limits = limits
    response = ResponseReader(limits: engine.configuration.response, isUpgrade: true)
    frames = WebSocketFrameReader(messageBytes: limits.messageBytes)
  }

  // MARK: - Opening

  func open(_ completion: @escaping @Sendable (Result<Void, WebClientError>) -> Void) {
    if case .failure(let error) = ending { return completion(.failure(error)) }
    onOpened = completion
    engine.insert(self)
    let deadline = engine.configuration.deadline
    timer = engine.loop.schedule(after: deadline) { [weak self] in
      guard let self else { return }
      end(WebClientError(.timedOut, "no WebSocket to \(opening.origin) within \(deadline)"))
    }
    let attempt = ConnectAttempt(engine, opening.origin)
    self.attempt = attempt
    attempt.start { [self] outcome in
      self.attempt = nil
      switch outcome {
      case .success(let stream):
        self.stream = stream
        stream.owner = self
        stream.send(opening.bytes)
      case .failure(let error): end(error)
      }
    }
  }

  func streamOpened() {}

  /// Takes bytes of the answer to the handshake, and returns how many.
  private func readAnswer(_ bytes: UnsafeBufferPointer<UInt8>) throws(WebClientError) -> Int {
    let used: Int
    do throws(ResponseFault) {
      used = try response.read(bytes.span)
    } catch {
      throw WebClientError(error, origin: opening.origin)
    }
    // The body of a refusal is not waited for.
    guard let head = response.head else { return used }
    try opening.check(head)
    state = .open
    timer?.cancel()
    scheduleLifeCheck()
    onOpened.take()?(.success(()))
    return used
  }

  // MARK: - Receiving

  func streamReceived(_ bytes: UnsafeBufferPointer<UInt8>) {
    lastHeard = engine.loop.milliseconds
    if pingSent.take() != nil, state == .open { scheduleLifeCheck() }
    do throws(WebClientError) {
      var position = state == .opening ? try readAnswer(bytes) : 0
      while position < bytes.count, state == .open || state == .closing {
        position += try readFrame(UnsafeBufferPointer(rebasing: bytes[position...]))
      }
    } catch {
      end(error)
    }
  }

  private func readFrame(_ bytes: UnsafeBufferPointer<UInt8>) throws(WebClientError) -> Int {
    do throws(WebSocketFault) {
      let (count, event) = try frames.read(bytes.span)
      if let event { take(event) }
      return count
    } catch {
      sendClosing(code: error.code, reason: error.reason)
      throw WebClientError(
        error == .messageTooLong ? .tooLarge : .malformedAnswer, "the WebSocket of \(opening.origin): \(error.reason)")
    }
  }

  private func take(_ event: WebSocketEvent) {
    switch event {
    case .text(let message): if state == .open { deliver(message) }
    case .binary:
      sendClosing(code: 1003, reason: "only text is taken")
      end(WebClientError(.malformedAnswer, "the WebSocket of \(opening.origin): a message is not text"))
    case .ping(let payload):
      if let stream, stream.unsentByteCount < WebSocketLink.mostUnsentForPong { send(.pong, payload) }
    case .pong: break
    case .close(let code, let reason):
      if state == .open {
        closure.withLock { $0 = WebSocketClosure(code: code, reason: reason, isByServer: true) }
        // Answered with the same code (§5.5.1).
        if let code { sendClosing(code: code, reason: "") } else { send(.close, []) }
      }
      end(nil)
    }
  }

  private func deliver(_ message: [UInt8]) {
    if readings.isEmpty {
      inbox.append(message)
      if inbox.byteCount > limits.bufferedBytes { setPaused(true) }
    } else {
      readings.removeFirst().finish(.success(message))
    }
  }

  /// What the server sends while reading is paused waits with the system and then with the server.
  private func setPaused(_ paused: Bool) {
    guard isPaused != paused else { return }
    isPaused = paused
    stream?.setPaused(paused)
  }

  func streamEnded(_ error: WebClientError?) {
    let reason = "\(opening.origin) ended the connection of the WebSocket without closing it"
    end(error ?? WebClientError(.connectionLost, reason))
  }

  // MARK: - What the client asks for

  /// Gives `reading` the next message, now or later.
  func read(_ reading: WebSocketReading) {
    if let message = inbox.popFirst() {
      reading.finish(.success(message))
      if inbox.byteCount <= limits.bufferedBytes / 2 { setPaused(false) }
    } else if let ending {
      reading.finish(ending)
    } else {
      readings.append(reading)
    }
  }

  func cancel(_ reading: WebSocketReading) {
    readings.removeAll { $0 === reading }
    reading.finish(.failure(.cancelled))
  }

  /// Sends a text message.
  func send(text: [UInt8]) -> Result<Void, WebClientError> {
    guard state == .open, let stream else {
      return .failure(WebClientError(.closed, "the WebSocket to \(opening.origin) is closed"))
    }
    guard stream.unsentByteCount + text.count <= limits.unsentBytes else {
      return .failure(WebClientError(.overloaded, "\(opening.origin) does not take what it is sent"))
    }
    send(.text, text)
    return .success(())
  }

  private func send(_ kind: WebSocketFrameWriter.Kind, _ payload: [UInt8]) {
    var frame: [UInt8] = []
    let mask = UInt32.random(in: .min ... .max, using: &generator)
    WebSocketFrameWriter.append(kind, payload, mask: mask, to: &frame)
    stream?.send(frame)
  }

  private func sendClosing(code: UInt16, reason: String) {
    send(.close, WebSocketFrameWriter.closingPayload(code: code, reason: reason))
  }

  // MARK: - The end

  /// Begins the closing handshake; `completion` is called when it is over.
  func close(code: UInt16, reason: String, _ completion: @escaping @Sendable () -> Void) {
    if state == .ended { return completion() }
    onClosed.append(completion)
    guard state == .open else { return }
    state = .closing
    closure.withLock { $0 = WebSocketClosure(code: code, reason: reason, isByServer: false) }
    inbox = WebSocketInbox()
    finishReading(.success(nil))
    sendClosing(code: code, reason: reason)
    setPaused(false)
    timer?.cancel()
    timer = engine.loop.schedule(after: limits.closingDeadline) { [weak self] in self?.end(nil) }
  }

  /// Ends the WebSocket because nobody holds it any more.
  func abandon() {
    if state == .open { sendClosing(code: 1001, reason: "") }
    end(.clientClosed)
  }

  /// Ends the connection; without an error, in order.
  func end(_ error: WebClientError?) {
    guard state != .ended else { return }
    // A server that still thinks about the handshake is to stop.
    if state == .opening { stream?.abort() }
    state = .ended
    timer?.cancel()
    timer = nil
    attempt?.cancel()
    attempt = nil
    stream?.close()
    stream = nil
    engine.remove(self)
    finishReading(error.map { .failure($0) } ?? .success(nil))
    if let error { onOpened.take()?(.failure(error)) }
    let waiting = onClosed
    onClosed = []
    for completion in waiting { completion() }
  }

  private func finishReading(_ outcome: Result<[UInt8]?, WebClientError>) {
    guard ending == nil else { return }
    ending = outcome
    let waiting = readings
    readings = []
    for reading in waiting { reading.finish(outcome) }
  }

  // MARK: - Signs of life

  private func scheduleLifeCheck() {
    let due =
      pingSent.map { $0 + limits.pongDeadline.roundedMilliseconds } ?? lastHeard
      + limits.pingInterval.roundedMilliseconds
    let now = engine.loop.milliseconds
    timer?.cancel()
    timer = engine.loop.schedule(after: .milliseconds(due > now ? due - now : 0)) { [weak self] in self?.checkLife() }
  }

  private func checkLife() {
    guard state == .open else { return }
    let now = engine.loop.milliseconds
    if isPaused {
      // Nothing is read, so nothing can be heard.
      lastHeard = now
      pingSent = nil
    } else if let pingSent {
      if now >= pingSent + limits.pongDeadline.roundedMilliseconds {
        return end(WebClientError(.timedOut, "no sign of life from \(opening.origin)"))
      }
    } else if now >= lastHeard + limits.pingInterval.roundedMilliseconds {
      pingSent = now
      send(.ping, [])
    }
    scheduleLifeCheck()
  }
}

/// Messages in the order in which they came.
private struct WebSocketInbox {
  /// What a message costs beside its bytes.
  private static let overhead = 64

  private var messages: [[UInt8]] = []
  private var start = 0
  /// Bytes of the messages, and what they cost.
  private(set) var byteCount = 0

  mutating func append(_ message: [UInt8]) {
    messages.append(message)
    byteCount += message.count + WebSocketInbox.overhead
  }

  mutating func popFirst() -> [UInt8]? {
    guard start < messages.count else { return nil }
    var message: [UInt8] = []
    swap(&message, &messages[start])
    start += 1
    byteCount -= message.count + WebSocketInbox.overhead
    // The places of messages that are gone are given back by and by.
    if start * 2 >= messages.count {
      messages.removeFirst(start)
      start = 0
    }
    return message
  }
}
