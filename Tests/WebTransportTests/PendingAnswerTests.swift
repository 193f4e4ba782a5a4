import HTTPFormat
import Synchronization
import Testing
import WebTransport

/// Requests that an immediate handler takes on and answers later.
@Suite("Answers that come later")
struct PendingAnswerTests {
  private static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n" }

  /// The request number `number`, counted from 0, once it waits.
  private func arrival(_ number: Int, _ test: TestServer) async throws -> PendingAnswer {
    try #require(await eventually { test.service.later.arrivals.count > number })
    return test.service.later.arrivals[number]
  }

  /// Does something with pending answers on their loop, and waits for the end of that.
  private func onLoop(_ test: TestServer, _ work: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
      test.loops[0].execute {
        work()
        continuation.resume()
      }
    }
  }

  @Test("They are sent in the order of the requests, each once, and what is behind them waits")
  func order() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send(Self.get("/later/1") + Self.get("/b") + Self.get("/later/now") + Self.get("/later/2"))
      let first = try await arrival(0, test)
      await onLoop(test) {
        first.give("first")
        first.give("again")
      }
      #expect(try client.response().text == "first /later/1")
      #expect(try client.response().text == "GET /b ")
      #expect(try client.response().text == "at once /later/now")
      let second = try await arrival(1, test)
      await onLoop(test) {
        // What belongs to another request of the same connection.
        first.give("late")
        second.give("second")
      }
      #expect(try client.response().text == "second /later/2")
      try client.send(Self.get("/c"))
      #expect(try client.response().text == "GET /c ")
    }
  }

  @Test("What is left to the ordinary handler after all gets there whole, and so does a response")
  func ordinaryWay() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + Self.get("/hop"))
      let first = try await arrival(0, test)
      await onLoop(test) { first.give { _, _ in nil } }
      #expect(try client.response().text == "POST /later hello")
      #expect(try client.response().text == "hopped true")
      try client.send(Self.get("/later/gone") + Self.get("/b"))
      let second = try await arrival(1, test)
      await onLoop(test) {
        second.give { head in HTTPResponse(status: 503, body: Array("\(head.path) is out".utf8)) }
      }
      let response = try client.response()
      #expect(response.status == 503 && response.text == "/later/gone is out")
      #expect(try client.response().text == "GET /b ")
    }
  }

  @Test("An answer to a client that has gone goes nowhere, one to a client that only ended its side arrives")
  func clientsThatGo() async throws {
    try await TestServer.run { test in
      let gone = try test.client()
      try gone.send(Self.get("/later/gone"))
      let lost = try await arrival(0, test)
      gone.reset()
      #expect(await eventually { test.server.openConnections == 0 })
      let patient = try test.client()
      try patient.send(Self.get("/later/patient"))
      patient.endWriting()
      let kept = try await arrival(1, test)
      let calls = Mutex(0)
      await onLoop(test) {
        lost.give { _, _ in
          calls.withLock { $0 += 1 }
          return nil
        }
        lost.give { _ in
          calls.withLock { $0 += 1 }
          return HTTPResponse(status: 200)
        }
        kept.give("kept")
      }
      #expect(calls.withLock { $0 } == 0)
      #expect(try patient.response().text == "kept /later/patient")
      #expect(try patient.rest() == [])
    }
  }

  @Test("A stop waits for them, as long as it may", arguments: [true, false])
  func stopping(isAnswered: Bool) async throws {
    // An address of its own: the port may be another test's as soon as it is free.
    try await TestServer.run {
      $0.host = "127.0.0.10"
    } _: { test in
      let client = try TestClient(port: test.server.port, address: 0x7F00_000A)
      try client.send(Self.get("/later") + Self.get("/b"))
      let pending = try await arrival(0, test)
      let patience = isAnswered ? Duration.seconds(TestClient.patienceSeconds) : .milliseconds(50)
      let stop = Task.detached { await test.server.stop(deadline: patience) }
      if isAnswered {
        #expect(await eventually { (try? TestClient(port: test.server.port, address: 0x7F00_000A)) == nil })
        await onLoop(test) { pending.give("last") }
        let response = try client.response()
        #expect(response.text == "last /later" && response.fields["connection"] == "close")
      }
      #expect(try client.rest() == [])
      client.close()
      await stop.value
      await onLoop(test) { pending.give("too late") }
      #expect(test.server.openConnections == 0)
    }
  }

  @Test("They are observed once, with the time that they took")
  func observation() async throws {
    let seen = Mutex<[WebExchange]>([])
    try await TestServer.run(observe: { exchange in seen.withLock { $0.append(exchange) } }) { test in
      let client = try test.client()
      for (number, path) in ["/later/1", "/later/2", "/later/3"].enumerated() {
        try client.send(Self.get(path))
        let pending = try await arrival(number, test)
        await onLoop(test) {
          switch number {
          case 0: pending.give("first")
          case 1: pending.give { _ in HTTPResponse(status: 503) }
          default: pending.give { _, _ in nil }
          }
          pending.give("again")
        }
        _ = try client.response()
      }
    }
    let all = seen.withLock { $0 }
    #expect(all.map(\.status) == [200, 503, 200] && all.map { $0.head?.path } == ["/later/1", "/later/2", "/later/3"])
    #expect(all.allSatisfy { $0.responseBytes > 20 && $0.duration > .zero })
  }
}
