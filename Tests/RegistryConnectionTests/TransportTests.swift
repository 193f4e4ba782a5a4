import HTTPFormat
import RegistryClient
import RegistryConnection
import Synchronization
import Testing
import WebTransport

/// A stand-in for a registrar, whose paths say what it does.
private final class TestRegistrar: WebHandler, WebSocketHandler {
  let cancellations = Mutex(0)
  let arrivals = Mutex(0)
  let closings = Mutex<[UInt16?]>([])

  func bodyLimit(for head: RequestHead) -> Int { 1_000_000 }

  func respond(to request: WebTransport.WebRequest) async -> WebAnswer {
    let head = request.head
    switch head.path {
    case "/r/echo":
      var fields = HTTPFields()
      fields.add("etag", "\"x\"")
      fields.add("content-type", "application/json")
      let names: [StaticString] = ["content-type", "accept", "authorization", "if-none-match"]
      let seen = names.map { head.value(of: $0) ?? "-" }.joined(separator: " ")
      let text = "\(head.method.name) \(head.target) \(seen) \(String(decoding: request.body, as: UTF8.self))"
      return .response(HTTPResponse(status: 409, fields: fields, body: Array(text.utf8)))
    case "/r/large": return .response(HTTPResponse(status: 200, body: [UInt8](repeating: 0x61, count: 1000)))
    case "/r/redirect":
      var fields = HTTPFields()
      fields.add("location", "/r/echo")
      return .response(HTTPResponse(status: 308, fields: fields))
    case "/r/never":
      arrivals.withLock { $0 += 1 }
      try? await Task.sleep(for: .seconds(600))
      cancellations.withLock { $0 += 1 }
      return .response(HTTPResponse(status: 200))
    case "/r/events":
      guard let upgrade = try? WebSocketUpgrade(head) else { return .response(HTTPResponse(status: 400)) }
      return .webSocket(upgrade, fields: HTTPFields(), self)
    default: return .response(HTTPResponse(status: 404))
    }
  }

  func response(to fault: ConnectionFault) -> HTTPResponse { HTTPResponse(status: 400) }

  func opened(_ connection: WebSocketConnection) { connection.send(WebSocketFrame(text: "hello")) }

  func received(text: [UInt8], on connection: WebSocketConnection) {
    switch String(decoding: text, as: UTF8.self) {
    case "close": connection.close(code: 4001, reason: "consumer-too-slow")
    case "long": connection.send(WebSocketFrame(text: String(repeating: "x", count: 101)))
    default: connection.send(WebSocketFrame(utf8: text))
    }
  }

  func received(binary: [UInt8], on connection: WebSocketConnection) {}

  func closed(_ connection: WebSocketConnection, code: UInt16?) { closings.withLock { $0.append(code) } }
}

/// Runs `body` with a network and a registrar at `/r` of a port.
private func withRegistrar(
  _ options: RegistryNetwork.Options = RegistryNetwork.Options(),
  _ body: (RegistryNetwork, UInt16, TestRegistrar) async throws -> Void
) async throws {
  let loop = try EventLoop.start(name: "registrar")
  let registrar = TestRegistrar()
  let server = try await WebServer.start(WebConfiguration(), on: [loop], webSocketLoop: loop, handler: registrar)
  let network = try RegistryNetwork(options)
  let outcome: Result<Void, any Error>
  do {
    outcome = .success(try await body(network, server.port, registrar))
  } catch {
    outcome = .failure(error)
  }
  await network.stop()
  await server.stop(deadline: .seconds(1))
  loop.stop()
  try outcome.get()
}

private func request(
  _ target: String, headers: [(name: String, value: String)] = [], maxAnswerBytes: Int = 1000,
  timeout: Duration = .seconds(30)
) -> RegistryRequest {
  request(.get, target, headers: headers, maxAnswerBytes: maxAnswerBytes, timeout: timeout)
}

private func request(
  _ method: RegistryRequest.Method, _ target: String, body: String? = nil,
  headers: [(name: String, value: String)] = [], maxAnswerBytes: Int = 1000, timeout: Duration = .seconds(30)
) -> RegistryRequest {
  RegistryRequest(
    method, target, body: body.map { Array($0.utf8) }, headers: headers, maxAnswerBytes: maxAnswerBytes,
    timeout: timeout)
}

private func failure<Value>(_ call: () async throws(TransportFailure) -> Value) async -> TransportFailure? {
  do throws(TransportFailure) {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}

/// Waits until something holds; false after a long time.
private func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<3000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(10))
  }
  return false
}

@Suite("Transport to a registrar")
struct TransportTests {
  @Test("Requests have the prefix and the headers they should; answers come with status, headers and body")
  func requests() async throws {
    try await withRegistrar { network, port, _ in
      for base in ["http://127.0.0.1:\(port)/r", "http://localhost:\(port)/r/"] {
        let transport = network.transport(to: try RegistrarAddress(base))
        let get = try await transport.answer(
          to: request("/echo?a=b", headers: [("If-None-Match", "\"y\""), ("Authorization", "Peerstack z")]))
        #expect(get.status == 409)
        #expect(get.header("ETag") == "\"x\"")
        #expect(
          String(decoding: get.body, as: UTF8.self) == "GET /r/echo?a=b - application/json Peerstack z \"y\" ")
        let post = try await transport.answer(to: request(.post, "/echo", body: "{}"))
        #expect(String(decoding: post.body, as: UTF8.self) == "POST /r/echo application/json application/json - - {}")
      }
    }
  }

  @Test("Each failure is of its kind")
  func failures() async throws {
    try await withRegistrar { network, port, registrar in
      let transport = network.transport(to: try RegistrarAddress("http://127.0.0.1:\(port)/r"))
      let answer = { (request: RegistryRequest) in
        await failure { () throws(TransportFailure) in try await transport.answer(to: request) }
      }
      #expect(await answer(request("/large", maxAnswerBytes: 1000)) == nil)
      #expect(await answer(request("/large", maxAnswerBytes: 999)) == .tooLarge)
      #expect(await answer(request("/never", timeout: .milliseconds(100))) == .timedOut)
      guard case .malformed(let reason) = await answer(request("/redirect")) else {
        Issue.record("a redirect was followed")
        return
      }
      #expect(reason.contains("redirect"))
      for bad in [request("no-slash"), request("/a b"), request("/echo", headers: [("Connection", "close")])] {
        guard case .malformed = await answer(bad) else {
          Issue.record("\(bad.target) was sent")
          continue
        }
      }
      let nobody = network.transport(to: try RegistrarAddress("http://127.0.0.1:1"))
      let error = await failure { () throws(TransportFailure) in try await nobody.answer(to: request("/")) }
      guard case .unreachable = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test("A cancelled task ends at once, and its request at the registrar too")
  func cancellation() async throws {
    try await withRegistrar { network, port, registrar in
      let transport = network.transport(to: try RegistrarAddress("http://127.0.0.1:\(port)/r"))
      let task = Task {
        await failure { () throws(TransportFailure) in try await transport.answer(to: request("/never")) }
      }
      #expect(await eventually { registrar.arrivals.withLock { $0 } == 1 })
      task.cancel()
      #expect(await task.value == .cancelled)
      #expect(await eventually { registrar.cancellations.withLock { $0 } == 1 })
    }
  }

  @Test("A feed carries frames both ways, and knows why it was closed")
  func feed() async throws {
    try await withRegistrar { network, port, registrar in
      let transport = network.transport(to: try RegistrarAddress("http://127.0.0.1:\(port)/r"))
      let feed = try await transport.events(target: "/events?after=3", maxFrameBytes: 100)
      try #expect(await feed.next() == .text(Array("hello".utf8)))
      try await feed.send(Array("{}".utf8))
      try #expect(await feed.next() == .text(Array("{}".utf8)))
      try await feed.send(Array("close".utf8))
      try #expect(await feed.next() == .closed(4001))

      let second = try await transport.events(target: "/events", maxFrameBytes: 100)
      try #expect(await second.next() == .text(Array("hello".utf8)))
      try await second.send(Array("long".utf8))
      #expect(await failure { () throws(TransportFailure) in try await second.next() } == .tooLarge)

      let third = try await transport.events(target: "/events", maxFrameBytes: 100)
      try #expect(await third.next() == .text(Array("hello".utf8)))
      let reader = Task { await failure { () throws(TransportFailure) in try await third.next() } }
      reader.cancel()
      #expect(await reader.value == .cancelled)
      await third.close()
      try #expect(await third.next() == .closed(nil))
      #expect(await eventually { registrar.closings.withLock { $0 } == [4001, 1009, 1000] })

      let refused = await failure { () throws(TransportFailure) in
        try await transport.events(target: "/nothing", maxFrameBytes: 100)
      }
      guard case .unreachable(let reason) = refused else {
        Issue.record("\(String(describing: refused))")
        return
      }
      #expect(reason.contains("404"))
    }
  }

  @Test("A registrar that a record names is not looked for inside")
  func hints() async throws {
    try await withRegistrar { network, port, registrar in
      for host in ["localhost", "127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1"] {
        let hinted = network.hintedTransport(to: try RegistrarAddress(sourceURL: "https://\(host):\(port)"))
        let error = await failure { () throws(TransportFailure) in try await hinted.answer(to: request("/")) }
        guard case .unreachable(let reason) = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
        #expect(reason.contains("no address on the open Internet"), "\(reason)")
      }
    }
    try await withRegistrar { network, port, _ in
      let hint = try #require(network.hints("https://LOCALHOST:\(port)/r/"))
      #expect(hint.name == "https://localhost:\(port)/r" && hint.host == "localhost")
      let error = await failure { () throws(TransportFailure) in try await hint.transport.answer(to: request("/")) }
      guard case .unreachable(let reason) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(reason.contains("no address on the open Internet"), "\(reason)")
      for url in ["http://keys.example", "https://", "https://a.example/?b", "ftp://a.example"] {
        #expect(network.hints(url) == nil, "\(url)")
      }
    }
    var options = RegistryNetwork.Options()
    options.arePrivateHintsAllowed = true
    try await withRegistrar(options) { network, port, _ in
      // Allowed, it is a matter of TLS alone, which this server does not speak.
      let hinted = network.hintedTransport(to: try RegistrarAddress(sourceURL: "https://localhost:\(port)"))
      let error = await failure { () throws(TransportFailure) in try await hinted.answer(to: request("/")) }
      guard case .unreachable(let reason) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(reason.contains("TLS"))
    }
  }

  @Test("Stopping ends what runs; afterwards everything fails at once")
  func stopping() async throws {
    try await withRegistrar { network, port, registrar in
      let transport = network.transport(to: try RegistrarAddress("http://127.0.0.1:\(port)/r"))
      let feed = try await transport.events(target: "/events", maxFrameBytes: 100)
      try #expect(await feed.next() == .text(Array("hello".utf8)))
      async let running = failure { () throws(TransportFailure) in try await transport.answer(to: request("/never")) }
      async let reading = failure { () throws(TransportFailure) in try await feed.next() }
      #expect(await eventually { registrar.arrivals.withLock { $0 } == 1 })
      await network.stop()
      let closed = TransportFailure.unreachable("the client was closed")
      #expect(await running == closed)
      #expect(await reading == closed)
      #expect(
        await failure { () throws(TransportFailure) in try await transport.answer(to: request("/echo")) } == closed)
      #expect(await failure { () throws(TransportFailure) in try await feed.next() } == closed)
      #expect(await failure { () throws(TransportFailure) in try await feed.send([0x61]) } == closed)
      await feed.close()
      await network.stop()
    }
  }
}
