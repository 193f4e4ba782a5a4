import Glibc
import HTTPFormat
import Synchronization
import Testing

@testable import WebTransport

extension ClientTestConnection {
  /// Answers the opening handshake; the request, or nil when there was none.
  @discardableResult
  func openWebSocket(_ more: String = "") -> String? {
    guard let request = readRequest() else { return nil }
    let key = request.components(after: "Sec-WebSocket-Key: ").flatMap { $0.components(before: "\r\n") } ?? ""
    send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
        + "Sec-WebSocket-Accept: \(WebSocketOpening.answer(to: key))\r\n\r\n\(more)")
    return request
  }

  /// Sends one frame as servers do.
  @discardableResult
  func sendFrame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> Bool {
    var frame = [(isFinal ? 0x80 : 0) | opcode]
    switch payload.count {
    case ..<126: frame.append(UInt8(payload.count))
    case ..<65_536: frame += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default: frame += [127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    return send(frame + payload)
  }

  @discardableResult
  func sendText(_ text: String) -> Bool { sendFrame(1, Array(text.utf8)) }

  /// The client's next frame, without its mask; nil at the end. Its mask must be there.
  func readFrame() -> (opcode: UInt8, payload: [UInt8])? {
    guard let header = read(2), header[0] & 0xF0 == 0x80, header[1] & 0x80 != 0 else { return nil }
    var length = Int(header[1] & 0x7F)
    if length >= 126 {
      guard let more = read(length == 126 ? 2 : 8) else { return nil }
      length = more.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let mask = read(4), let masked = read(length) else { return nil }
    return (header[0] & 0x0F, masked.enumerated().map { $0.element ^ mask[$0.offset % 4] })
  }
}

/// Runs `body` with an open WebSocket to a server that follows `script` once the WebSocket stands.
private func withWebSocket<Value: Sendable>(
  _ limits: WebSocketClientLimits = WebSocketClientLimits(), tls: ClientTestTLS? = nil,
  _ script: @escaping @Sendable (ClientTestConnection) -> Void,
  _ body: (WebSocketClient, ClientTestServer) async throws -> Value
) async throws -> Value {
  var configuration = WebClientConfiguration()
  if tls != nil { configuration.trust = try TestCertificates.shared().authorities }
  return try await withClient(configuration, tls: tls) { connection in
    if connection.openWebSocket() != nil { script(connection) }
  } _: { client, origin, server in
    try await body(try await client.openWebSocket(origin, target: "/events?after=1", limits: limits), server)
  }
}

/// The failure of a call, or nil.
private func failureOf<Value>(_ call: () async throws(WebClientError) -> Value) async -> WebClientError? {
  do throws(WebClientError) {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}

private func limits(_ change: (inout WebSocketClientLimits) -> Void) -> WebSocketClientLimits {
  var limits = WebSocketClientLimits()
  change(&limits)
  return limits
}

/// The payload of a closing frame.
private func closing(_ code: UInt16, _ reason: String = "") -> [UInt8] {
  [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8)
}

@Suite("Client WebSockets")
struct ClientWebSocketTests {
  @Test("The answer to a key is that of RFC 6455 §1.3")
  func acceptValue() {
    #expect(WebSocketOpening.answer(to: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test("The handshake asks for what it should")
  func handshake() async throws {
    let requests = Mutex<[String]>([])
    try await withClient { connection in
      if let request = connection.openWebSocket() { requests.withLock { $0.append(request) } }
      connection.waitForEnd()
    } _: { client, origin, _ in
      var fields = HTTPFields()
      fields.add("authorization", "Peerstack x")
      for _ in 0..<2 { _ = try await client.openWebSocket(origin, target: "/a/events?after=7", fields: fields) }
      let seen = requests.withLock { $0 }
      let keys = seen.compactMap { $0.components(after: "Sec-WebSocket-Key: ")?.components(before: "\r\n") }
      #expect(Set(keys).count == 2 && keys.allSatisfy { $0.utf8.count == 24 })
      #expect(
        seen.first
          == "GET /a/events?after=7 HTTP/1.1\r\nHost: 127.0.0.1:\(origin.port)\r\nauthorization: Peerstack x\r\n"
          + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          + "Sec-WebSocket-Key: \(keys.first ?? "")\r\n\r\n")
      for (name, value) in [("Sec-WebSocket-Extensions", "permessage-deflate"), ("Host", "x"), ("Upgrade", "h2c")] {
        var fields = HTTPFields()
        fields.add(name: name, value: Array(value.utf8))
        let refused = fields
        let error = await failureOf { () throws(WebClientError) in
          try await client.openWebSocket(origin, target: "/", fields: refused)
        }
        #expect(error?.code == .invalidRequest)
      }
    }
  }

  @Test("Messages of every length come back, over plain connections and over TLS", arguments: [false, true])
  func echo(isSecure: Bool) async throws {
    let tls = isSecure ? try ClientTestTLS(TestCertificates.shared().folder, "good") : nil
    try await withWebSocket(tls: tls) { connection in
      while let frame = connection.readFrame() { connection.sendFrame(frame.opcode, frame.payload) }
    } _: { socket, _ in
      for count in [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000] {
        let message = (0..<count).map { UInt8(0x20 + $0 % 90) }
        try await socket.send(text: message)
        try #expect(await socket.next() == message)
      }
      await socket.close(code: 3001, reason: "done")
      #expect(socket.closure == WebSocketClosure(code: 3001, reason: "done", isByServer: false))
      try #expect(await socket.next() == nil)
      let error = await failureOf { () throws(WebClientError) in try await socket.send(text: [0x61]) }
      #expect(error?.code == .closed)
    }
  }

  @Test("Messages that come with the handshake, in parts, in single bytes, with pings in between")
  func fragments() async throws {
    let pongs = Mutex<[[UInt8]]>([])
    try await withClient { connection in
      // The first message comes in one piece with the answer to the handshake.
      guard connection.openWebSocket("\u{1}\u{3}one") != nil else { return }
      connection.sendFrame(0, Array("-".utf8), isFinal: false)
      connection.sendFrame(9, Array("ping".utf8))
      connection.sendFrame(0, Array("two".utf8))
      for byte in [0x81, 0x02] + Array("é".utf8) { connection.send([byte]) }
      // Half a character at the end of a frame.
      connection.sendFrame(1, [0xC3], isFinal: false)
      connection.sendFrame(0, [], isFinal: false)
      connection.sendFrame(0, [0xA9])
      if let frame = connection.readFrame(), frame.opcode == 10 { pongs.withLock { $0.append(frame.payload) } }
      connection.sendText("end")
      connection.waitForEnd()
    } _: { client, origin, _ in
      let socket = try await client.openWebSocket(origin, target: "/")
      var seen: [String] = []
      for try await message in socket.messages {
        seen.append(String(decoding: message, as: UTF8.self))
        if seen.last == "end" { break }
      }
      #expect(seen == ["one-two", "é", "é", "end"])
      #expect(pongs.withLock { $0 } == [Array("ping".utf8)])
    }
  }

  @Test(
    "The server's closing frame is behind its messages, with code and reason, and is answered",
    arguments: [(4001, "consumer-too-slow"), (1001, ""), (nil, "")] as [(UInt16?, String)])
  func serverCloses(code: UInt16?, reason: String) async throws {
    let answers = Mutex<[[UInt8]]>([])
    try await withWebSocket { connection in
      connection.sendText("last")
      connection.sendFrame(8, code.map { closing($0, reason) } ?? [])
      if let frame = connection.readFrame(), frame.opcode == 8 { answers.withLock { $0.append(frame.payload) } }
      connection.waitForEnd()
    } _: { socket, server in
      try #expect(await socket.next() == Array("last".utf8))
      try #expect(await socket.next() == nil)
      try #expect(await socket.next() == nil)
      #expect(socket.closure == WebSocketClosure(code: code, reason: reason, isByServer: true))
      #expect(await eventually { server.openCount == 0 })
      #expect(answers.withLock { $0 } == [code.map { closing($0) } ?? []])
    }
  }

  @Test(
    "A connection that breaks off is an error behind its last message, without a closure", arguments: [false, true])
  func breaksOff(isReset: Bool) async throws {
    try await withWebSocket { connection in
      connection.sendText("last")
      connection.send([0x81, 0x05, 0x61])
      // A reset may overtake what was sent before it: it waits until that was read.
      _ = connection.readFrame()
      if isReset { connection.resetAtEnd() }
    } _: { socket, _ in
      try #expect(await socket.next() == Array("last".utf8))
      try await socket.send(text: Array("go".utf8))
      let error = await failureOf { () throws(WebClientError) in try await socket.next() }
      #expect(error?.code == .connectionLost, "\(String(describing: error))")
      #expect(socket.closure == nil)
    }
  }

  @Test(
    "Frames that break the protocol are refused with the right code",
    arguments: [
      ([0xC1, 0x00], 1002), ([0x91, 0x00], 1002), ([0x83, 0x00], 1002), ([0x8B, 0x00], 1002),
      ([0x81, 0x81, 0, 0, 0, 0, 0x61], 1002), ([0x81, 0x7E, 0x00, 0x7D], 1002),
      ([0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 1002), ([0x81, 0x7F, 0xFF, 0, 0, 0, 0, 1, 0, 0], 1002),
      ([0x09, 0x00], 1002), ([0x89, 0x7E, 0x00, 0x7E], 1002), ([0x80, 0x00], 1002), ([0x01, 0x00, 0x81, 0x00], 1002),
      ([0x88, 0x01, 0x03], 1002), ([0x88, 0x02, 0x03, 0xED], 1002), ([0x88, 0x02, 0x00, 0x00], 1002),
      ([0x88, 0x03, 0x03, 0xE8, 0xFF], 1007), ([0x81, 0x01, 0xFF], 1007), ([0x81, 0x03, 0xED, 0xA0, 0x80], 1007),
      ([0x82, 0x01, 0x00], 1003), ([0x81, 0x7E, 0x03, 0xE9], 1009), ([0x81, 0x7F, 0x10, 0, 0, 0, 0, 0, 0, 0], 1009),
    ] as [([UInt8], UInt16)])
  func violations(frame: [UInt8], code: UInt16) async throws {
    let answers = Mutex<[[UInt8]]>([])
    try await withWebSocket(limits { $0.messageBytes = 1000 }) { connection in
      connection.sendText("before")
      connection.send(frame)
      if let frame = connection.readFrame(), frame.opcode == 8 { answers.withLock { $0.append(frame.payload) } }
      connection.waitForEnd()
    } _: { socket, server in
      try #expect(await socket.next() == Array("before".utf8))
      let error = await failureOf { () throws(WebClientError) in try await socket.next() }
      #expect(error?.code == (code == 1009 ? .tooLarge : .malformedAnswer), "\(String(describing: error))")
      #expect(await eventually { server.openCount == 0 })
      #expect(answers.withLock { $0.map { $0.prefix(2).elementsEqual(closing(code)) } } == [true])
    }
  }

  @Test("A message that grows part by part is cut off at the limit")
  func endlessMessage() async throws {
    try await withWebSocket(limits { $0.messageBytes = 100_000 }) { connection in
      connection.sendFrame(1, [0x61], isFinal: false)
      while connection.sendFrame(0, [UInt8](repeating: 0x61, count: 1000), isFinal: false) {}
    } _: { socket, _ in
      let error = await failureOf { () throws(WebClientError) in try await socket.next() }
      #expect(error?.code == .tooLarge)
    }
  }

  @Test("A slow reader makes the server wait, and loses nothing")
  func backpressure() async throws {
    let sent = Mutex(0)
    let payload = String(repeating: "x", count: 10_000)
    let count = 3000
    try await withWebSocket(limits { $0.bufferedBytes = 200_000 }) { connection in
      for number in 0..<count {
        connection.sendText("\(number) \(payload)")
        sent.withLock { $0 = number + 1 }
      }
      connection.sendFrame(8, closing(1000))
      connection.waitForEnd()
    } _: { socket, _ in
      // What is sent but not read stays in the buffers of the system: it stops long before the end.
      var before = -1
      while before != sent.withLock({ $0 }) {
        before = sent.withLock { $0 }
        try await Task.sleep(for: .milliseconds(200))
      }
      #expect(before < count)
      var next = 0
      while let message = try await socket.next() {
        #expect(message.count == "\(next) ".utf8.count + payload.utf8.count)
        #expect(message.starts(with: "\(next) ".utf8))
        next += 1
      }
      #expect(next == count)
      #expect(socket.closure?.code == 1000)
    }
  }

  @Test("A server that does not listen makes sending fail, not wait")
  func overload() async throws {
    try await withWebSocket(limits { $0.unsentBytes = 100_000 }) { connection in
      connection.sendText("open")
      while connection.sendText("still here") { usleep(10_000) }
    } _: { socket, server in
      _ = try await socket.next()
      let message = [UInt8](repeating: 0x61, count: 50_000)
      var error: WebClientError?
      for _ in 0..<10_000 where error == nil {
        error = await failureOf { () throws(WebClientError) in try await socket.send(text: message) }
      }
      #expect(error?.code == .overloaded)
    }
  }

  @Test("Silence is answered by a ping, and a server that answers it lives")
  func signsOfLife() async throws {
    let patient = limits {
      $0.pingInterval = .milliseconds(20)
      $0.pongDeadline = .seconds(60)
    }
    try await withWebSocket(patient) { connection in
      for _ in 0..<5 {
        guard let frame = connection.readFrame(), frame.opcode == 9 else { return }
        connection.sendFrame(10, frame.payload)
      }
      connection.sendText("alive")
      connection.waitForEnd()
    } _: { socket, _ in
      try #expect(await socket.next() == Array("alive".utf8))
    }
  }

  @Test("A server that does not answer a ping is lost")
  func noSignsOfLife() async throws {
    let short = limits {
      $0.pingInterval = .milliseconds(20)
      $0.pongDeadline = .milliseconds(50)
    }
    let frames = Mutex<[UInt8]>([])
    try await withWebSocket(short) { connection in
      while let frame = connection.readFrame() { frames.withLock { $0.append(frame.opcode) } }
    } _: { socket, server in
      let error = await failureOf { () throws(WebClientError) in try await socket.next() }
      #expect(error?.code == .timedOut, "\(String(describing: error))")
      #expect(await eventually { server.openCount == 0 })
      #expect(frames.withLock { $0 } == [9])
    }
  }

  @Test("A cancelled reader gets nothing, and the next one gets the message")
  func cancelledReaders() async throws {
    try await withWebSocket { connection in
      while let frame = connection.readFrame() { connection.sendFrame(frame.opcode, frame.payload) }
    } _: { socket, _ in
      for number in 0..<50 {
        let reader = Task { await failureOf { () throws(WebClientError) in try await socket.next() } }
        if number % 2 == 0 { await Task.yield() }
        reader.cancel()
        #expect(await reader.value?.code == .cancelled)
        try await socket.send(text: Array("\(number)".utf8))
        try #expect(await socket.next() == Array("\(number)".utf8))
      }
    }
  }

  @Test("Readers that wait get nil at our close, and an error when the client closes")
  func closeWhileReading() async throws {
    for isClientClosed in [false, true] {
      try await withClient { connection in
        guard connection.openWebSocket() != nil else { return }
        connection.sendText("open")
        // Never answers the closing frame.
        connection.waitForEnd()
      } _: { client, origin, server in
        let socket = try await client.openWebSocket(
          origin, target: "/", limits: limits { $0.closingDeadline = .milliseconds(50) })
        try #expect(await socket.next() == Array("open".utf8))
        let reader = Task { () async -> Result<[UInt8]?, WebClientError> in
          do throws(WebClientError) { return .success(try await socket.next()) } catch { return .failure(error) }
        }
        if isClientClosed { await client.close() } else { await socket.close() }
        let outcome = await reader.value
        #expect(outcome == .success(nil) || (isClientClosed && outcome == .failure(.clientClosed)))
        #expect(await eventually { server.openCount == 0 })
      }
    }
  }

  @Test("A WebSocket that nobody holds is closed")
  func dropped() async throws {
    try await withWebSocket { connection in
      connection.sendText("open")
      connection.waitForEnd()
    } _: { socket, server in
      try #expect(await socket.next() != nil)
      #expect(server.openCount == 1)
    }
    // `withWebSocket` has closed the client too; here nothing but the last reference goes.
    try await withClient { connection in
      connection.openWebSocket()
      connection.waitForEnd()
    } _: { client, origin, server in
      _ = try await client.openWebSocket(origin, target: "/")
      #expect(await eventually { server.openCount == 0 })
    }
  }

  @Test(
    "Answers that do not open a WebSocket",
    arguments: [
      ("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", .upgradeRefused, 404),
      ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 999\r\n\r\n", .upgradeRefused, 401),
      ("HTTP/1.1 200 OK\r\n\r\n", .upgradeRefused, 200),
      ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", .redirected, 302),
      ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", .malformedAnswer, nil),
      (
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        .malformedAnswer, nil
      ),
      ("", .connectionLost, nil), ("HTTP/1.1 101 X\r\nUpgr", .connectionLost, nil),
      ("nonsense\r\n\r\n", .malformedAnswer, nil),
    ] as [(String, WebClientError.Code, Int?)])
  func refusals(text: String, code: WebClientError.Code, status: Int?) async throws {
    try await withClient { connection in
      _ = connection.readRequest()
      connection.send(text)
      if !text.isEmpty, text.hasSuffix("\r\n\r\n") { connection.waitForEnd() }
    } _: { client, origin, server in
      let error = await failureOf { () throws(WebClientError) in try await client.openWebSocket(origin, target: "/") }
      #expect(error?.code == code, "\(String(describing: error))")
      #expect(error?.status == status)
      #expect(await eventually { server.openCount == 0 })
    }
  }

  @Test("Cancelling while it opens frees the connection; so does the deadline", arguments: [true, false])
  func cancelledOpening(isCancelled: Bool) async throws {
    var configuration = WebClientConfiguration()
    configuration.deadline = isCancelled ? .seconds(60) : .milliseconds(200)
    try await withClient(configuration) { connection in
      _ = connection.readRequest()
      connection.waitForEnd()
    } _: { client, origin, server in
      let task = Task {
        await failureOf { () throws(WebClientError) in try await client.openWebSocket(origin, target: "/") }
      }
      if isCancelled {
        #expect(await eventually { server.connectionCount == 1 })
        task.cancel()
      }
      #expect(await task.value?.code == (isCancelled ? .cancelled : .timedOut))
      #expect(await eventually { server.openCount == 0 })
    }
  }
}
