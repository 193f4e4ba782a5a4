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
