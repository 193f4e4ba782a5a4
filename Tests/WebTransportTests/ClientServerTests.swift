import Glibc
import HTTPFormat
import Synchronization
import Testing

@testable import WebTransport

@Suite("Client and server")
struct ClientServerTests {
  /// Runs `body` with a client of a real server; the client has a loop of its own.
  private func withServer(
    loops: Int = 2, _ adjust: (inout WebConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (WebClient, WebOrigin, TestServer) async throws -> Void
  ) async throws {
    try await TestServer.run(loops: loops, adjust) { test in
      let loop = try EventLoop.start(name: "client")
      let client = WebClient(on: loop)
      let origin = try #require(WebOrigin(isSecure: false, host: "127.0.0.1", port: test.server.port))
      let outcome: Result<Void, any Error>
      do {
        outcome = .success(try await body(client, origin, test))
      } catch {
        outcome = .failure(error)
      }
      await client.close()
      loop.stop()
      try outcome.get()
    }
  }

  @Test("Many requests at once get each its own answer")
  func manyRequests() async throws {
    try await withServer { client, origin, test in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<300 {
          group.addTask {
            let body = Array("body \(number)".utf8)
            let request = WebClientRequest(.post, origin, target: "/echo/\(number)", body: body)
            let answer = try await client.response(to: request)
            #expect(String(decoding: answer.body, as: UTF8.self) == "POST /echo/\(number) body \(number)")
          }
        }
        try await group.waitForAll()
      }
      #expect(test.server.openConnections <= WebClientConfiguration().connectionsPerOrigin)
    }
  }

  @Test("A task that runs on the client's own loop, and closes the client there")
  func sameLoop() async throws {
    try await TestServer.run { test in
      let loop = try EventLoop.start(name: "client")
      let origin = try #require(WebOrigin(isSecure: false, host: "127.0.0.1", port: test.server.port))
      let seen = Mutex<[Bool]>([])
      try await withTaskExecutorPreference(loop) {
        let client = WebClient(on: loop)
        for _ in 0..<3 {
          let answer = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
          seen.withLock { $0.append(answer.status == 200 && loop.isCurrent) }
        }
        await client.close()
      }
      loop.stop()
      #expect(seen.withLock { $0 } == [true, true, true])
    }
  }

  @Test("IPv6", .enabled(if: hasIPv6()))
  func version6() async throws {
    let adjust: @Sendable (inout WebConfiguration) -> Void = { $0.host = "::1" }
    try await TestServer.run(adjust) { test in
      let loop = try EventLoop.start(name: "client")
      let client = WebClient(on: loop)
      let url = try #require(WebURL("http://[::1]:\(test.server.port)/peer"))
      let answer = try await client.response(to: WebClientRequest(.get, url.origin, target: url.target))
      #expect(String(decoding: answer.body, as: UTF8.self) == "::1 true")
      let socket = try await client.openWebSocket(url.origin, target: "/ws")
      try await socket.send(text: Array("six".utf8))
      try #expect(await socket.next() == Array("six".utf8))
      await client.close()
      loop.stop()
    }
  }

  @Test("Nothing of a client is left when it has gone")
  func nothingIsLeft() async throws {
    try await TestServer.run { test in
      let loop = try EventLoop.start(name: "client")
      let origin = try #require(WebOrigin(isSecure: false, host: "127.0.0.1", port: test.server.port))
      let nobody = try #require(WebOrigin(isSecure: true, host: "localhost", port: 1))
      let witness = try await use(WebClient(on: loop), origin, nobody)
      // The last references are those of work on the loop.
      #expect(await eventually { witness.isGone })
      loop.stop()
    }
  }

  /// Does a bit of everything with a client, and closes it.
  private func use(_ client: consuming WebClient, _ origin: WebOrigin, _ nobody: WebOrigin) async throws -> Witness {
    let witness = Witness(client.engine)
    _ = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
    let used = client
    _ = await failure { () throws(WebClientError) in
      try await used.response(to: WebClientRequest(.get, nobody, target: "/"))
    }
    let socket = try await client.openWebSocket(origin, target: "/ws")
    try await socket.send(text: Array("x".utf8))
    let gate = Task { try await used.response(to: WebClientRequest(.get, origin, target: "/gate")) }
    gate.cancel()
    _ = await gate.result
    await client.close()
    return witness
  }

  @Test("A cancelled request is cancelled at the server too")
  func cancellation() async throws {
    try await withServer { client, origin, test in
      let task = Task { try await client.response(to: WebClientRequest(.get, origin, target: "/gate")) }
      #expect(await eventually { test.service.gate.arrivals == 1 })
      task.cancel()
      #expect(await eventually { test.service.gate.cancellations == 1 })
      // The handler goes on until it has passed, and its connection counts until then.
      test.service.gate.open()
      #expect(await eventually { test.server.openConnections == 0 })
    }
  }

  @Test("Kept connections that the server closes in the middle of the traffic cost no request")
  func serverClosesIdle() async throws {
    let adjust: (inout WebConfiguration) -> Void = { $0.deadlines.idle = .milliseconds(10) }
    try await withServer(loops: 1, adjust) { client, origin, _ in
      for number in 0..<100 {
        let answer = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        #expect(answer.status == 200)
        // Around the time at which the server closes, so that both ends meet.
        try await Task.sleep(for: .microseconds(9000 + number * 80))
      }
    }
  }

  @Test("Messages come back, the server's code and reason are seen, and its stop is 1001")
  func webSockets() async throws {
    try await withServer { client, origin, test in
      let socket = try await client.openWebSocket(origin, target: "/ws")
      for count in [0, 1, 125, 126, 65_535, 65_536] {
        let message = [UInt8](repeating: 0x61, count: count)
        try await socket.send(text: message)
        try #expect(await socket.next() == message)
      }
      try await socket.send(text: Array("/close".utf8))
      try #expect(await socket.next() == nil)
      #expect(socket.closure == WebSocketClosure(code: 4001, reason: "consumer-too-slow", isByServer: true))
      let second = try await client.openWebSocket(origin, target: "/ws")
      await second.close(code: 3000, reason: "bye")
      let third = try await client.openWebSocket(origin, target: "/ws")
      await test.server.stop(deadline: .seconds(5))
      try #expect(await third.next() == nil)
      #expect(third.closure?.code == 1001)
      #expect(test.service.webSockets.state.withLock { $0.closed } == [4001, 3000, 1001])
    }
  }

  @Test("What is no WebSocket is refused with the server's status")
  func refusedWebSocket() async throws {
    try await withServer { client, origin, _ in
      do {
        _ = try await client.openWebSocket(origin, target: "/nothing")
        Issue.record("opened")
      } catch let error as WebClientError {
        #expect(error.code == .upgradeRefused)
        #expect(error.status == 200)
      }
    }
  }
}

/// Knows whether an engine is still there.
///
/// `@unchecked Sendable`: the reference is only read after it was made.
private final class Witness: @unchecked Sendable {
  private weak var engine: WebClientEngine?

  init(_ engine: WebClientEngine) { self.engine = engine }

  var isGone: Bool { engine == nil }
}

/// Whether this machine has the loopback address of IPv6.
private func hasIPv6() -> Bool {
  let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  // Refused or not, there is a way to it.
  guard let address = SocketAddress(numeric: "::1", port: 1) else { return false }
  return address.connect(descriptor) == 0 || errno == ECONNREFUSED
}
