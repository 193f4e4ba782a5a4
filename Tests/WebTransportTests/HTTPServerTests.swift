import Glibc
import HTTPFormat
import Synchronization
import Testing
import WebTransport

@Suite("HTTP server")
struct HTTPServerTests {
  private static let post = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
  private static let get = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"

  @Test("Requests are answered in order, however their bytes are cut", arguments: [1, 2, 3, 7, 30, 1000])
  func cuts(size: Int) async throws {
    try await TestServer.run { test in
      let client = try test.client()
      let bytes = Array((HTTPServerTests.post + HTTPServerTests.get + HTTPServerTests.post).utf8)
      for start in stride(from: 0, to: bytes.count, by: size) {
        try client.send(Array(bytes[start..<min(start + size, bytes.count)]))
      }
      #expect(try client.response().text == "POST /a hello")
      #expect(try client.response().text == "GET /b ")
      #expect(try client.response().text == "POST /a hello")
    }
  }

  @Test("Hundreds of pipelined requests with bodies, on several loops")
  func pipelining() async throws {
    try await TestServer.run(loops: 2) { test in
      for _ in 0..<4 {
        let client = try test.client()
        var requests = ""
        for number in 0..<300 {
          let path = number % 3 == 0 ? "/hop" : "/n\(number)"
          requests += "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        }
        try client.send(requests)
        for number in 0..<300 {
          #expect(try client.response().text == (number % 3 == 0 ? "hopped true" : "POST /n\(number) abc"))
        }
      }
    }
  }

  @Test("What comes to many connections at once is answered on each as if it came alone")
  func together() async throws {
    try await TestServer.run { test in
      let clients = try (0..<80).map { _ in try test.client() }
      for client in clients {
        try client.send(HTTPServerTests.get)
        #expect(try client.response().text == "GET /b ")
      }
      // The loop looks again when all have sent.
      let hold = LoopHold(test.loops[0])
      for (number, client) in clients.enumerated() {
        try client.send(Self.request(number))
        if number % 8 == 5 { client.endWriting() }
      }
      hold.release()
      for (number, client) in clients.enumerated() where number % 8 == 2 {
        try client.send("t: h\r\n\r\n")
      }
      for (number, client) in clients.enumerated() { try Self.check(client, number) }
      let (heard, rounds) = test.service.preparations.withLock { ($0.heard, $0.rounds) }
      // Whole requests without a body, and nothing behind them. Those that are cut may have come whole.
      for number in 0..<80 where ![2, 6].contains(number % 8) {
        #expect(heard.contains("/n\(number)") == [0, 4, 5].contains(number % 8))
      }
      #expect(heard.contains("/hop") && rounds > 0)
    }
  }

  private static func request(_ number: Int) -> String {
    let get = "GET /n\(number) HTTP/1.1\r\nHost: h\r\n\r\n"
    return switch number % 8 {
    case 1: get + get + "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab" + get
    case 2: "GET /n\(number) HTTP/1.1\r\nHos"
    case 3: "GET /n\(number)\r\n\r\n"
    case 4: "GET /n\(number) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    case 6: "GET /hop HTTP/1.1\r\nHost: h\r\n\r\n"
    case 7: "POST /n\(number) HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    default: get
    }
  }

  private static func check(_ client: TestClient, _ number: Int) throws {
    let echo = "GET /n\(number) "
    switch number % 8 {
    case 1:
      for text in [echo, echo, "POST /p ab", echo] { #expect(try client.response().text == text) }
    case 3: #expect(try client.response().status == 400)
    case 6: #expect(try client.response().text == "hopped true")
    case 7: #expect(try client.response().text == "POST /n\(number) abc")
    default: #expect(try client.response().text == echo)
    }
    if [3, 4, 5].contains(number % 8) {
      #expect(try client.rest() == [])
    } else {
      try client.send(get)
      #expect(try client.response().text == "GET /b ")
    }
  }

  @Test("Connections that stay are spread evenly over the loops, and go where others have gone")
  func evenLoops() async throws {
    try await TestServer.run(loops: 2) { test in
      func connect(_ count: Int) throws -> [(client: TestClient, loop: String)] {
        try (0..<count).map { _ in
          let client = try test.client()
          try client.send("GET /loop HTTP/1.1\r\nHost: h\r\n\r\n")
          return (client, try client.response().text)
        }
      }
      let first = try connect(12)
      let loops = Dictionary(grouping: first, by: \.loop)
      #expect(loops.mapValues(\.count) == ["test 0": 6, "test 1": 6])
      for (client, _) in loops["test 0"] ?? [] { client.close() }
      let deadline = ContinuousClock.now + .seconds(TestClient.patienceSeconds)
      while test.server.openConnections > 6, ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(try connect(6).map(\.loop) == Array(repeating: "test 0", count: 6))
    }
  }

  @Test(
    "What breaks the framing is answered, and the connection closed",
    arguments: [
      ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\na", 400),
      ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
      ("GET / HTTP/1.1\nHost: h\n\n", 400),
      ("GET / HTTP/1.1\r\n\r\n", 400),
      ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
      ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
      ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", 411),
      ("GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "x", count: 9000) + "\r\n\r\n", 431),
      ("GET /" + String(repeating: "x", count: 5000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 431),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413),
      ("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413),
      ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999\r\n\r\n", 413),
    ])
  func faults(request: String, status: Int) async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send(HTTPServerTests.get + request + HTTPServerTests.get)
      #expect(try client.response().text == "GET /b ")
      let response = try client.response()
      #expect(response.status == status)
      #expect(response.fields["connection"] == "close")
      #expect(try client.rest() == [])
      #expect(test.service.faults.withLock { $0.count } == 1)
    }
  }

  @Test("A large body that is refused does not destroy the answer on its way")
  func lingeringClose() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n")
      try client.send([UInt8](repeating: 0x61, count: 500_000))
      #expect(try client.response().status == 413)
      #expect(try client.rest() == [])
    }
  }

  @Test("Bodies up to the limit are taken, large ones in pieces")
  func bodies() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      let exact = String(repeating: "e", count: TestService.bodyLimit)
      try client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: \(exact.utf8.count)\r\n\r\n" + exact)
      #expect(try client.response().text == "POST /x " + exact)
      let large = String(repeating: "l", count: 3_000_000)
      try client.send("POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: \(large.utf8.count)\r\n\r\n" + large)
      #expect(try client.response().body.count == large.utf8.count + "POST /large ".utf8.count)
      // A body that the route has no use for is read to its end.
      try client.send("GET /y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + HTTPServerTests.get)
      #expect(try client.response().text == "GET /y abc")
      #expect(try client.response().text == "GET /b ")
    }
  }

  @Test("HEAD has the length of the body that it does not get")
  func head() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send("HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n" + HTTPServerTests.get)
      let response = try client.response(isHead: true)
      #expect(response.fields["content-length"] == "8")
      #expect(response.fields["date"]?.hasSuffix("GMT") == true)
      #expect(try client.response().text == "GET /b ")
    }
  }

  @Test("Expect: 100-continue is answered before the body, and not when the body is there")
  func expectContinue() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
      #expect(try client.head() == "HTTP/1.1 100 Continue\r\n\r\n")
      try client.send("hello")
      #expect(try client.response().text == "POST /a hello")
      try client.send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
      #expect(try client.response().status == 200)
    }
  }

  @Test(
    "HTTP/1.0 and Connection: close are answered and closed",
    arguments: [
      "GET /b HTTP/1.0\r\n\r\n", "GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    ])
  func closing(request: String) async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send(request + HTTPServerTests.get)
      let response = try client.response()
      #expect(response.text == "GET /b ")
      #expect(response.fields["connection"] == "close")
      #expect(try client.rest() == [])
      client.close()
      #expect(await eventually { test.server.openConnections == 0 })
    }
  }

  @Test("An unknown Upgrade is ignored; so is an absolute-form target's authority")
  func ordinary() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send("GET /b HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n")
      #expect(try client.response().text == "GET /b ")
      try client.send("GET http://other/c?d HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try client.response().text == "GET /c?d ")
      try client.send("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try client.response().text == "127.0.0.1 true")
      try client.send("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try client.response().status == 426)
      try client.send(HTTPServerTests.get)
      #expect(try client.response().status == 200)
    }
  }

  @Test("Every exchange is observed once")
  func observation() async throws {
    let seen = Exchanges()
    try await TestServer.run(observe: { exchange in seen.all.withLock { $0.append(exchange) } }) { test in
      let client = try test.client()
      try client.send(HTTPServerTests.post + "GET /hop HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n")
      #expect(try client.response().status == 200)
      #expect(try client.response().status == 200)
      #expect(try client.response().status == 400)
    }
    let all = seen.all.withLock { $0 }
    #expect(all.map(\.status) == [200, 200, 400])
    #expect(all.map(\.bodyBytes) == [5, 0, 0])
    #expect(all.allSatisfy { $0.responseBytes > 50 && $0.peerAddress == "127.0.0.1" })
    #expect(all[1].duration > .zero && all[0].head?.path == "/a" && all[2].head == nil)
  }
}

private final class Exchanges: Sendable {
  let all = Mutex<[WebExchange]>([])
}

/// Keeps a loop from looking at its descriptors until it is released.
private final class LoopHold: Sendable {
  private let isReleased = Atomic(false)
  private let isHeld = Atomic(false)

  init(_ loop: EventLoop) {
    loop.execute { [self] in
      isHeld.store(true, ordering: .relaxed)
      while !isReleased.load(ordering: .relaxed) { usleep(1000) }
    }
    while !isHeld.load(ordering: .relaxed) { usleep(1000) }
  }

  func release() { isReleased.store(true, ordering: .relaxed) }
}
