import Dispatch
import HTTPFormat
import Synchronization
import Testing
import WebTransport

@Suite("Limits and deadlines of the HTTP server")
struct HTTPServerLimitTests {
  private static let get = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
  private static let gated = "GET /gate?1 HTTP/1.1\r\nHost: h\r\n\r\n"

  @Test(
    "Single bytes extend no deadline",
    arguments: [
      "GET / HTTP/1.1\r\nHost: h\r\nX: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n",
    ])
  func slowSender(beginning: String) async throws {
    try await TestServer.run { configuration in
      configuration.deadlines.head = .milliseconds(300)
      configuration.deadlines.body = .milliseconds(300)
    } _: { test in
      let client = try test.client()
      try client.send(beginning)
      // A byte every few milliseconds, until the server has enough of it.
      var sent = 0
      while (try? client.send("x")) != nil, sent < 5000 {
        sent += 1
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(sent < 900)
      #expect(await eventually { test.server.openConnections == 0 })
    }
  }

  @Test("A connection without requests is closed; one with a handler at work is not")
  func idle() async throws {
    try await TestServer.run { configuration in
      configuration.deadlines.head = .milliseconds(100)
      configuration.deadlines.idle = .milliseconds(100)
    } _: { test in
      let silent = try test.client()
      let used = try test.client()
      let waiting = try test.client()
      try waiting.send(HTTPServerLimitTests.gated)
      try used.send(HTTPServerLimitTests.get)
      #expect(try used.response().status == 200)
      #expect(try silent.rest() == [])
      #expect(try used.rest() == [])
      #expect(test.server.openConnections == 1)
      test.service.gate.open()
      #expect(try waiting.response().text == "passed 1")
    }
  }

  @Test("A client that does not read is cut, and what waits for it is bounded")
  func slowReader() async throws {
    try await TestServer.run { configuration in
      configuration.deadlines.writing = .milliseconds(300)
      configuration.deadlines.slowestReading = 1_000_000_000
      configuration.pendingOutputBytes = 100_000
    } _: { test in
      let client = try test.client(receiveBuffer: 4096)
      // Far more than the system buffers.
      for _ in 0..<20 { try client.send("GET /big?2000000 HTTP/1.1\r\nHost: h\r\n\r\n") }
      #expect(await eventually { test.server.openConnections == 0 })
    }
  }

  @Test("A slow reader that does read gets everything")
  func patientReader() async throws {
    try await TestServer.run { configuration in
      configuration.pendingOutputBytes = 10_000
    } _: { test in
      let client = try test.client()
      // Far more than the system buffers, and nothing is read before all is asked for.
      for _ in 0..<15 { try client.send("GET /big?3000000 HTTP/1.1\r\nHost: h\r\n\r\n") }
      try client.send(HTTPServerLimitTests.get)
      for _ in 0..<15 { #expect(try client.response().body.count == 3_000_000) }
      #expect(try client.response().text == "GET /b ")
    }
  }

  @Test(
    "A reset cancels the handler; of a client that only ends, nobody knows whether it still reads",
    arguments: [true, false])
  func leaving(byReset: Bool) async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send(HTTPServerLimitTests.gated)
      #expect(await eventually { test.service.gate.arrivals == 1 })
      if byReset {
        client.reset()
        #expect(await eventually { test.service.gate.cancellations == 1 })
      } else {
        client.close()
      }
      test.service.gate.open()
      #expect(await eventually { test.service.gate.departures == 1 && test.server.openConnections == 0 })
      let other = try test.client()
      try other.send(HTTPServerLimitTests.get)
      #expect(try other.response().status == 200)
    }
  }

  @Test("An answer never goes to whoever got the descriptor of a client that is gone")
  func descriptorOfAnother() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send(HTTPServerLimitTests.gated)
      #expect(await eventually { test.service.gate.arrivals == 1 })
      // The loop finds bytes and the reset at once: it must not stop at the bytes.
      let isHeld = DispatchSemaphore(value: 0)
      let mayGoOn = DispatchSemaphore(value: 0)
      test.loops[0].execute {
        isHeld.signal()
        mayGoOn.wait()
      }
      isHeld.wait()
      try client.send(HTTPServerLimitTests.get)
      client.reset()
      mayGoOn.signal()
      #expect(await eventually { test.server.openConnections == 0 })
      let others = try (0..<8).map { _ in try test.client() }
      #expect(await eventually { test.server.openConnections == others.count })
      test.service.gate.open()
      #expect(await eventually { test.service.gate.departures == 1 })
      for (number, other) in others.enumerated() {
        try other.send("GET /own\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try other.response().text == "GET /own\(number) ")
      }
    }
  }

  @Test("A client that only ends its side gets all its answers")
  func halfClose() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send(HTTPServerLimitTests.gated + HTTPServerLimitTests.get)
      client.endWriting()
      test.service.gate.open()
      #expect(try client.response().text == "passed 1")
      #expect(try client.response().text == "GET /b ")
      #expect(try client.rest() == [])
    }
  }

  @Test("Input behind a waiting handler is bounded, and nothing of it is lost")
  func boundedInput() async throws {
    try await TestServer.run { configuration in
      configuration.pendingInputBytes = 1000
    } _: { test in
      let client = try test.client()
      try client.send(HTTPServerLimitTests.gated)
      #expect(await eventually { test.service.gate.arrivals == 1 })
      let count = 3000
      let sender = TestSender(client, Array(String(repeating: HTTPServerLimitTests.get, count: count).utf8))
      sender.start()
      test.service.gate.open()
      #expect(try client.response().text == "passed 1")
      for _ in 0..<count { #expect(try client.response().text == "GET /b ") }
      sender.join()
    }
  }

  @Test("Connections beyond the limits get 503, and places become free again")
  func connectionLimits() async throws {
    try await TestServer.run {
      $0.connections = 3
    } _: { test in
      var clients: [TestClient] = []
      for _ in 0..<3 {
        let client = try test.client()
        try client.send(HTTPServerLimitTests.get)
        #expect(try client.response().status == 200)
        clients.append(client)
      }
      let refused = try test.client()
      try refused.send(HTTPServerLimitTests.get)
      let response = try refused.response()
      #expect(response.status == 503 && response.fields["connection"] == "close")
      #expect(try refused.rest() == [])
      clients.removeLast().close()
      #expect(await eventually { test.server.openConnections == 2 })
      let next = try test.client()
      try next.send(HTTPServerLimitTests.get)
      #expect(try next.response().status == 200)
    }
    try await TestServer.run {
      $0.connectionsPerAddress = 1
    } _: { test in
      let first = try test.client()
      try first.send(HTTPServerLimitTests.get)
      #expect(try first.response().status == 200)
      #expect(try test.client().response().status == 503)
    }
  }

  @Test("A stop answers what is under way, closes what is idle, and takes nothing more")
  func gracefulStop() async throws {
    // An address of its own: the port may be another test's as soon as it is free.
    try await TestServer.run {
      $0.host = "127.0.0.9"
    } _: { test in
      let idle = try TestClient(port: test.server.port, address: 0x7F00_0009)
      let busy = try TestClient(port: test.server.port, address: 0x7F00_0009)
      try idle.send(HTTPServerLimitTests.get)
      #expect(try idle.response().fields["connection"] == nil)
      try busy.send(HTTPServerLimitTests.gated + HTTPServerLimitTests.get)
      #expect(await eventually { test.service.gate.arrivals == 1 })
      let stop = Task.detached { await test.server.stop(deadline: .seconds(TestClient.patienceSeconds)) }
      #expect(try idle.rest() == [])
      #expect(throws: TestClient.Failure.self) { try TestClient(port: test.server.port, address: 0x7F00_0009) }
      test.service.gate.open()
      let answer = try busy.response()
      #expect(answer.text == "passed 1" && answer.fields["connection"] == "close")
      #expect(try busy.rest() == [])
      busy.close()
      await stop.value
      #expect(test.server.openConnections == 0)
    }
  }

  @Test("A stop does not wait longer than it may")
  func cutStop() async throws {
    try await TestServer.run { test in
      let busy = try test.client()
      try busy.send(HTTPServerLimitTests.gated)
      #expect(await eventually { test.service.gate.arrivals == 1 })
      await test.server.stop(deadline: .milliseconds(50))
      #expect(try busy.rest() == [])
      #expect(test.service.gate.cancellations == 1)
    }
  }

  @Test("A port that is taken is an error")
  func takenPort() async throws {
    try await TestServer.run { test in
      await #expect(throws: TransportError.self) {
        try await TestServer.run {
          $0.port = test.server.port
        } _: { _ in
        }
      }
    }
  }
}
