import Glibc
import HTTPFormat
import Synchronization
import Testing
import WebTransport

@Suite("WebSocket server")
struct WebSocketTests {
  @Test("The handshake is answered with the accept value and our fields, without subprotocol or extensions")
  func handshake() async throws {
    try await TestServer.run { test in
      let socket = try TestWebSocket(try test.client())
      let lines = socket.head.lowercased().split(separator: "\r\n").map(String.init)
      #expect(lines[0] == "http/1.1 101 switching protocols")
      #expect(
        Set(lines.dropFirst()) == [
          "upgrade: websocket", "connection: upgrade", "access-control-allow-origin: *",
          "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        ])
      #expect(await eventually { test.server.openWebSockets == 1 && test.server.openConnections == 1 })
      socket.client.close()
      #expect(await eventually { test.server.openWebSockets == 0 && test.server.openConnections == 0 })
      #expect(test.service.webSockets.state.withLock { $0.closed } == [nil])
    }
  }

  @Test("A refused handshake is an ordinary response, and the connection goes on")
  func refusedHandshake() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      try client.send("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
      #expect(try client.response().status == 426)
      let socket = try TestWebSocket(client)
      try socket.send(text: "a")
      #expect(try socket.receive().text == "a")
    }
  }

  @Test("Messages come back whole, of any size and in any fragments")
  func echo() async throws {
    try await TestServer.run { test in
      let socket = try TestWebSocket(try test.client())
      for size in [0, 1, 125, 126, 1023, 1024, 1025, 4096, 65_535, 65_536] {
        let text = String(repeating: "x", count: size)
        try socket.send(text: text)
        #expect(try socket.receive() == TestWebSocket.Frame(opcode: TestWebSocket.text, payload: Array(text.utf8)))
      }
      try socket.send(TestWebSocket.binary, [0, 0xFF, 0xFE])
      #expect(try socket.receive() == TestWebSocket.Frame(opcode: TestWebSocket.binary, payload: [0, 0xFF, 0xFE]))
      // A character cut in two, and a ping in between.
      let euro = Array("€".utf8)
      try socket.send(TestWebSocket.text, [euro[0]], isFinal: false)
      try socket.send(TestWebSocket.ping, Array("p".utf8))
      try socket.send(TestWebSocket.continuation, [euro[1]], isFinal: false)
      try socket.send(TestWebSocket.continuation, [euro[2]])
      var frames = [try socket.receive(), try socket.receive()]
      frames.sort { $0.opcode < $1.opcode }
      #expect(frames[0].text == "€")
      #expect(frames[1] == TestWebSocket.Frame(opcode: TestWebSocket.pong, payload: Array("p".utf8)))
    }
  }

  @Test("What came with the handshake is not lost")
  func coalesced() async throws {
    try await TestServer.run { test in
      let many = (0..<200).flatMap { TestWebSocket.frame(TestWebSocket.text, Array("message \($0)".utf8)) }
      let socket = try TestWebSocket(try test.client(), coalesced: many)
      for number in 0..<200 { #expect(try socket.receive().text == "message \(number)") }
    }
  }

  @Test("Byte by byte")
  func byteByByte() async throws {
    try await TestServer.run { test in
      let client = try test.client()
      let socket = TestWebSocket.frame(TestWebSocket.text, Array("hello".utf8))
      for byte in Array(TestWebSocket.handshake.utf8) + socket { try client.send([byte]) }
      _ = try client.head()
      #expect(try client.bytes(7) == [0x81, 5] + Array("hello".utf8))
    }
  }

  @Test(
    "What breaks the rules is closed with its code",
    arguments: [
      ([TestWebSocket.frame(1, [0xFF, 0xFE])], 1007),
      ([TestWebSocket.frame(1, [0xE2, 0x82])], 1007),
      ([TestWebSocket.frame(1, [UInt8](repeating: 0x61, count: 65_537))], 1008),
      (
        [
          TestWebSocket.frame(2, [UInt8](repeating: 0, count: 40_000), isFinal: false),
          TestWebSocket.frame(0, [UInt8](repeating: 0, count: 40_000)),
        ], 1008
      ),
      ([[0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5]], 1008),
      ([TestWebSocket.frame(3, [])], 1002),
      ([TestWebSocket.frame(0, [1])], 1002),
    ] as [([[UInt8]], UInt16)])
  func violations(frames: [[UInt8]], code: UInt16) async throws {
    try await TestServer.run { test in
      let socket = try TestWebSocket(try test.client())
      for frame in frames { try socket.client.send(frame) }
      let answer = try socket.receive()
      #expect(answer.opcode == TestWebSocket.close && answer.code == code)
      socket.client.close()
      #expect(await eventually { test.server.openConnections == 0 })
      #expect(test.service.webSockets.state.withLock { $0.closed.count } == 1)
    }
  }

  @Test("A close of the client is answered, and reported with its code")
  func clientCloses() async throws {
    try await TestServer.run { test in
      let socket = try TestWebSocket(try test.client())
      try socket.send(TestWebSocket.close, [0x03, 0xE8] + Array("bye".utf8))
      #expect(try socket.receive().code == 1000)
      #expect(try socket.client.rest() == [])
      #expect(await eventually { test.service.webSockets.state.withLock { $0.closed } == [1000] })
    }
  }

  @Test("A close of the server carries code and reason, and waits for the answer")
  func serverCloses() async throws {
    try await TestServer.run { test in
      let socket = try TestWebSocket(try test.client())
      try socket.send(text: "/close")
      let frame = try socket.receive()
      #expect(frame.code == 4001 && frame.reason == "consumer-too-slow")
      try socket.send(TestWebSocket.close, frame.payload)
      #expect(try socket.client.rest() == [])
      #expect(await eventually { test.service.webSockets.state.withLock { $0.closed } == [4001] })
    }
  }

  @Test("A client that does not answer a close is cut")
  func silentClose() async throws {
    try await TestServer.run {
      $0.webSocket.closingDeadline = .milliseconds(100)
    } _: { test in
      let socket = try TestWebSocket(try test.client())
      try socket.send(text: "/close")
      #expect(try socket.receive().code == 4001)
      #expect(try socket.client.rest() == [])
      #expect(await eventually { test.server.openConnections == 0 })
    }
  }

  @Test("A silent client is asked for a sign of life, again and again as long as it answers")
  func signsOfLife() async throws {
    try await TestServer.run {
      $0.webSocket.pingInterval = .milliseconds(40)
    } _: { test in
      let socket = try TestWebSocket(try test.client())
      // Each ping but the first shows that the answer to the one before was heard.
      for _ in 0..<5 {
        let frame = try socket.receive()
        #expect(frame.opcode == TestWebSocket.ping)
        try socket.send(TestWebSocket.pong, frame.payload)
      }
      #expect(test.server.openWebSockets == 1)
    }
  }

  @Test("A client that gives no sign of life is cut")
  func noSignOfLife() async throws {
    try await TestServer.run { configuration in
      configuration.webSocket.pingInterval = .milliseconds(40)
      configuration.webSocket.pongDeadline = .milliseconds(100)
    } _: { test in
      let socket = try TestWebSocket(try test.client())
      #expect(try socket.receive().opcode == TestWebSocket.ping)
      #expect(try socket.client.rest() == [])
      #expect(await eventually { test.server.openConnections == 0 })
      #expect(test.service.webSockets.state.withLock { $0.closed } == [nil])
    }
  }

  @Test("One frame reaches hundreds; one that does not read is closed by the caller")
  func broadcast() async throws {
    try await TestServer.run {
      $0.webSocket.queuedBytes = 200_000
    } _: { test in
      var sockets: [TestWebSocket] = []
      for _ in 0..<300 { sockets.append(try TestWebSocket(try test.client())) }
      let slow = try TestWebSocket(try test.client(receiveBuffer: 4096))
      #expect(await eventually { test.server.openWebSockets == 301 })
      let loop = test.loops[1]
      let recorder = test.service.webSockets
      let count = 100
      let payload = String(repeating: "m", count: 65_000)
      loop.execute {
        let connections = recorder.state.withLock { $0.connections }
        let broadcast = WebSocketBroadcast(on: loop)
        for number in 0..<count {
          broadcast.send(WebSocketFrame(text: "\(number) \(payload)"), to: connections) { connection in
            connection.close(code: 4001, reason: "consumer-too-slow")
          }
        }
      }
      // All read by threads of their own, as the system buffers less than that.
      let readers = sockets.map { TestReader($0, count: count) }
      for reader in readers { reader.start() }
      for reader in readers { reader.join() }
      for reader in readers { #expect(reader.texts == (0..<count).map { "\($0) " }) }
      _ = slow
      #expect(await eventually { test.server.openWebSockets == 300 })
      #expect(recorder.state.withLock { $0.closed } == [4001])
    }
  }

  @Test("A stop closes WebSockets with 1001")
  func stop() async throws {
    try await TestServer.run { test in
      let socket = try TestWebSocket(try test.client())
      try socket.send(text: "here")
      #expect(try socket.receive().text == "here")
      let stop = Task.detached { await test.server.stop(deadline: .seconds(TestClient.patienceSeconds)) }
      let frame = try socket.receive()
      #expect(frame.code == 1001 && frame.reason == "going-away")
      try socket.send(TestWebSocket.close, frame.payload)
      await stop.value
      #expect(test.server.openConnections == 0)
      #expect(test.service.webSockets.state.withLock { $0.closed } == [1001])
    }
  }

  @Test("Connections that break off at any point leave nothing behind")
  func breakingOff() async throws {
    try await TestServer.run(loops: 2) { test in
      for round in 0..<60 {
        let socket = try TestWebSocket(try test.client())
        switch round % 4 {
        case 0: socket.client.reset()
        case 1:
          try socket.send(TestWebSocket.text, Array("x".utf8), isFinal: false)
          socket.client.close()
        case 2:
          for _ in 0..<10 { try socket.send(text: String(repeating: "x", count: 30_000)) }
          socket.client.reset()
        default:
          try socket.send(text: "/close")
          socket.client.reset()
        }
      }
      #expect(await eventually { test.server.openConnections == 0 })
      let state = test.service.webSockets.state.withLock { $0 }
      #expect(state.opened == 60 && state.closed.count == 60 && state.connections.isEmpty)
    }
  }
}

/// Reads messages on a thread of its own, and keeps their beginnings.
///
/// `@unchecked Sendable`: written by the thread until `join` returns, read afterwards.
private final class TestReader: @unchecked Sendable {
  private let socket: TestWebSocket
  private let count: Int
  private var thread = pthread_t()
  private(set) var texts: [String] = []

  init(_ socket: TestWebSocket, count: Int) {
    self.socket = socket
    self.count = count
  }

  func start() { pthread_create(&thread, nil, readerThread, Unmanaged.passRetained(self).toOpaque()) }

  func join() { pthread_join(thread, nil) }

  fileprivate func run() {
    for _ in 0..<count {
      guard let frame = try? socket.receive() else { return }
      texts.append(String(decoding: frame.payload.prefix { $0 != 0x6D }, as: UTF8.self))
    }
  }
}

private let readerThread: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<TestReader>.fromOpaque(argument).takeRetainedValue().run() }
  return nil
}
