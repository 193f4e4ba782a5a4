import HTTPFormat
import PeerstackFormat
import Synchronization
import WebTransport

@testable import RegistryServer

/// A receiver of webhooks: a real server, which keeps what comes and answers as it is told to.
final class TestReceiver: Sendable {
  /// A request as it came.
  struct Post: Sendable {
    let method: String
    let target: String
    let fields: [String: String]
    let body: [UInt8]

    var json: JSONObject? { (try? JSONValue.parseStrict(body, maxDepth: 64))?.object }
    var index: Int64? { json?["entry"]?.object?["index"]?.integer }
  }

  /// What becomes of a request.
  enum Answer: Sendable {
    case status(Int)
    case redirect(to: String)
    /// Nothing, until the client has gone.
    case silence
  }

  typealias Script = @Sendable (_ number: Int, Post) async -> Answer

  private struct State {
    var posts: [Post] = []
    var taken: [Post] = []
    var underWay = 0
    var mostUnderWay = 0
  }

  private final class Handler: WebHandler {
    let state = Mutex(State())
    let script: Script

    init(_ script: @escaping Script) { self.script = script }

    func bodyLimit(for head: RequestHead) -> Int { 65_536 }

    func response(to fault: ConnectionFault) -> HTTPResponse { HTTPResponse(status: 400) }

    func respond(to request: WebRequest) async -> WebAnswer {
      let head = request.head
      let fields = Dictionary(head.fields.map { ($0.name.lowercased(), $0.value) }) { "\($0), \($1)" }
      let post = Post(method: head.method.name, target: head.rawTarget, fields: fields, body: request.body)
      let number = state.withLock { state in
        state.posts.append(post)
        state.underWay += 1
        state.mostUnderWay = max(state.mostUnderWay, state.underWay)
        return state.posts.count
      }
      let answer = await script(number, post)
      state.withLock { $0.underWay -= 1 }
      switch answer {
      case .status(let status):
        if (200..<300).contains(status) { state.withLock { $0.taken.append(post) } }
        return .response(HTTPResponse(status: status, body: Array("thanks".utf8)))
      case .redirect(let place):
        var fields = HTTPFields()
        fields.add("location", place)
        return .response(HTTPResponse(status: 307, fields: fields))
      case .silence:
        try? await Task.sleep(for: .seconds(3_600))
        return .response(HTTPResponse(status: 200))
      }
    }
  }

  private let handler: Handler
  private let loop: EventLoop
  private let server: WebServer

  private init(_ handler: Handler, _ loop: EventLoop, _ server: WebServer) {
    self.handler = handler
    self.loop = loop
    self.server = server
  }

  /// A receiver that takes everything, or answers by a script; requests are counted from 1.
  static func start(_ script: @escaping Script = { _, _ in .status(204) }) async throws -> TestReceiver {
    let loop = try EventLoop.start(name: "receiver")
    let handler = Handler(script)
    let server = try await WebServer.start(WebConfiguration(), on: [loop], webSocketLoop: loop, handler: handler)
    return TestReceiver(handler, loop, server)
  }

  func stop() async {
    await server.stop(deadline: .zero)
    loop.stop()
  }

  var url: String { "http://127.0.0.1:\(server.port)" }
  var posts: [Post] { handler.state.withLock { $0.posts } }
  var mostUnderWay: Int { handler.state.withLock { $0.mostUnderWay } }
  /// The indexes of the entries that were taken, repetitions and all.
  var taken: [Int64] { handler.state.withLock { $0.taken.compactMap(\.index) } }
}
