import HTTPFormat
import Synchronization
import WebTransport

/// A service for tests: what it does is in the path.
final class TestService: WebHandler {
  static let bodyLimit = 1000

  /// Handlers of `/gate` wait here until the test opens it.
  let gate = Gate()
  let faults = Mutex<[ConnectionFault]>([])
  let webSockets = WebSocketRecorder()
  /// What the handler of what is at hand heard of before the answers.
  let preparations = Mutex<(heard: [String], rounds: Int)>(([], 0))
  let later = LaterRequests()

  func bodyLimit(for head: RequestHead) -> Int { head.hasPathPrefix("/large") ? 10_000_000 : TestService.bodyLimit }

  func respond(to request: WebRequest) async -> WebAnswer {
    let head = request.head
    switch head.path.split(separator: "/").first ?? "" {
    case "gate":
      await gate.pass()
      return text("passed \(head.query ?? "")")
    case "big":
      return .response(HTTPResponse(status: 200, body: [UInt8](repeating: 0x62, count: Int(head.query ?? "") ?? 0)))
    case "loop": return text(request.loop.name)
    case "peer": return text("\(request.peerAddress) \(request.loop.isCurrent)")
    case "ws": return upgrade(head)
    case "hop":
      await Task.detached {}.value
      return text("hopped \(request.loop.isCurrent)")
    default: return text(TestService.echo(head, request.body))
    }
  }

  func immediateHandler(on loop: EventLoop) -> (any ImmediateHandler)? { AnswersAtHand(self) }

  fileprivate static func echo(_ head: borrowing RequestHead, _ body: [UInt8]) -> String {
    "\(head.method.name) \(head.target) \(String(decoding: body, as: UTF8.self))"
  }

  private func upgrade(_ head: RequestHead) -> WebAnswer {
    guard let upgrade = try? WebSocketUpgrade(head) else {
      return .response(HTTPResponse(status: 426))
    }
    var fields = HTTPFields()
    fields.add("access-control-allow-origin", "*")
    return .webSocket(upgrade, fields: fields, webSockets)
  }

  private func text(_ text: String) -> WebAnswer { .response(HTTPResponse(status: 200, body: Array(text.utf8))) }

  func response(to fault: ConnectionFault) -> HTTPResponse {
    faults.withLock { $0.append(fault) }
    switch fault {
    case .framing(.malformed): return HTTPResponse(status: 400, body: Array("malformed".utf8))
    case .framing(.lengthRequired): return HTTPResponse(status: 411)
    case .framing(.headersTooLarge): return HTTPResponse(status: 431)
    case .framing(.contentTooLarge): return HTTPResponse(status: 413)
    case .bodyTooLarge(let limit): return HTTPResponse(status: 413, body: Array("\(limit)".utf8))
    case .tooManyConnections: return HTTPResponse(status: 503)
    }
  }
}

/// Answers at once where the service has nothing to wait for, takes on what is for `/later`, and counts what it hears of
/// beforehand.
final class AnswersAtHand: ImmediateHandler {
  static let template = ResponseTemplate(status: 200, fields: HTTPFields())
  private static let others = ["/gate", "/big", "/peer", "/ws", "/hop", "/task", "/loop", "/later"]

  private let service: TestService

  init(_ service: TestService) { self.service = service }

  func prepare(_ head: borrowing RequestHead) { service.preparations.withLock { $0.heard.append(head.target) } }

  func prepared() { service.preparations.withLock { $0.rounds += 1 } }

  func answer(_ head: borrowing RequestHead, body: [UInt8], to output: inout ResponseOutput) -> Int? {
    let path = head.path
    guard !Self.others.contains(where: { path.hasPrefix($0) }) else { return nil }
    let text = Array(TestService.echo(head, body).utf8)
    output.append(Self.template, bodyCount: text.count) { $0 += text }
    return 200
  }

  func begin(_ head: borrowing RequestHead) -> ((PendingAnswer) -> Void)? {
    guard head.hasPathPrefix("/later") else { return nil }
    let isAnsweredAtOnce = head.hasPathPrefix("/later/now")
    return { [requests = service.later] pending in
      if isAnsweredAtOnce { pending.give("at once") } else { requests.add(pending) }
    }
  }
}

/// A door that stays shut until it is opened, and counts who came and who was told to go.
final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var waiting: [CheckedContinuation<Void, Never>] = []
    var arrivals = 0
    var cancellations = 0
    var departures = 0
  }

  private let state = Mutex(State())

  var arrivals: Int { state.withLock { $0.arrivals } }
  var cancellations: Int { state.withLock { $0.cancellations } }
  var departures: Int { state.withLock { $0.departures } }

  /// Waits for the door, whatever happens to the task.
  func pass() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOpen = state.withLock { state in
          state.arrivals += 1
          if !state.isOpen { state.waiting.append(continuation) }
          return state.isOpen
        }
        if isOpen { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.cancellations += 1 }
    }
    state.withLock { $0.departures += 1 }
  }

  func open() {
    let waiting = state.withLock { state in
      state.isOpen = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }
}

/// Keeps what happens on WebSockets; echoes messages, and obeys those that begin with a slash.
final class WebSocketRecorder: WebSocketHandler {
  struct State {
    var connections: [WebSocketConnection] = []
    var opened = 0
    var closed: [UInt16?] = []
  }

  let state = Mutex(State())

  func opened(_ connection: WebSocketConnection) {
    state.withLock {
      $0.opened += 1
      $0.connections.append(connection)
    }
  }

  func received(text: [UInt8], on connection: WebSocketConnection) {
    switch String(decoding: text, as: UTF8.self) {
    case "/close": connection.close(code: 4001, reason: "consumer-too-slow")
    case "/silence": break
    default: connection.send(WebSocketFrame(utf8: text))
    }
  }

  func received(binary: [UInt8], on connection: WebSocketConnection) {
    connection.send(WebSocketFrame(binary: binary))
  }

  func closed(_ connection: WebSocketConnection, code: UInt16?) {
    state.withLock { state in
      state.closed.append(code)
      state.connections.removeAll { $0 === connection }
    }
  }
}

/// A server with its loops, for one test.
struct TestServer {
  let loops: [EventLoop]
  let server: WebServer
  let service: TestService

  /// Runs a server around `body`, which has a thread of its own: its clients block.
  static func run(
    loops loopCount: Int = 1, _ adjust: (inout WebConfiguration) -> Void = { _ in },
    observe: (@Sendable (WebExchange) -> Void)? = nil, _ body: @Sendable (TestServer) async throws -> Void
  ) async throws {
    var configuration = WebConfiguration()
    adjust(&configuration)
    let loops = try (0...loopCount).map { try EventLoop.start(name: "test \($0)") }
    let service = TestService()
    let server = try await WebServer.start(
      configuration, on: Array(loops.dropLast()), webSocketLoop: loops[loopCount], handler: service, observe: observe)
    let test = TestServer(loops: loops, server: server, service: service)
    let clients = try EventLoop.start(name: "clients")
    let outcome: Result<Void, any Error>
    do {
      try await withTaskExecutorPreference(clients) { try await body(test) }
      outcome = .success(())
    } catch {
      outcome = .failure(error)
    }
    clients.stop()
    await test.end()
    try outcome.get()
  }

  private func end() async {
    service.gate.open()
    await server.stop(deadline: .milliseconds(200))
    for loop in loops { loop.stop() }
  }

  func client(receiveBuffer: Int32? = nil) throws -> TestClient {
    try TestClient(port: server.port, receiveBuffer: receiveBuffer)
  }
}

/// Waits until something holds; false after a long time.
func eventually(_ condition: () -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(TestClient.patienceSeconds)
  while !condition() {
    guard ContinuousClock.now < deadline else { return false }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return true
}

/// Requests for `/later`, which wait until the test answers them.
final class LaterRequests: Sendable {
  private let waiting = Mutex<[PendingAnswer]>([])

  var arrivals: [PendingAnswer] { waiting.withLock { $0 } }

  func add(_ pending: PendingAnswer) { waiting.withLock { $0.append(pending) } }
}

extension PendingAnswer {
  /// Answers with a text and the target of the request.
  func give(_ text: String) {
    give { head, output in
      let body = Array("\(text) \(head.target)".utf8)
      output.append(AnswersAtHand.template, bodyCount: body.count) { $0 += body }
      return 200
    }
  }
}
