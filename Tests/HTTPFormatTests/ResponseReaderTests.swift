import HTTPFormat
import Testing

/// What a reader made of some bytes.
private enum Reading: Hashable {
  case complete(status: Int?, body: [UInt8], used: Int, keepAlive: Bool)
  case incomplete
  case fault(ResponseFault)
}

private let limits = ResponseLimits(headBytes: 200, fieldCount: 5, bodyBytes: 50)

/// Reads pieces that end at `cuts`, and then the end of the connection.
private func read(
  _ bytes: [UInt8], cuts: [Int], isHead: Bool = false, isUpgrade: Bool = false, ends: Bool = true
) -> Reading {
  var reader = ResponseReader(limits: limits, isHead: isHead, isUpgrade: isUpgrade)
  var used = 0
  do throws(ResponseFault) {
    var start = 0
    for cut in cuts + [bytes.count] where cut >= start && !reader.isComplete {
      let count = try reader.read(bytes.span.extracting(start..<cut))
      used += count
      guard count == cut - start || reader.isComplete else { return .incomplete }
      start = cut
    }
    if ends { try reader.end() }
  } catch {
    return .fault(error)
  }
  guard reader.isComplete else { return .incomplete }
  return .complete(
    status: reader.head?.status, body: reader.body, used: used, keepAlive: reader.head?.keepAlive ?? false)
}

private func read(_ text: String, ends: Bool = true) -> Reading { read(Array(text.utf8), cuts: [], ends: ends) }

@Suite("Response reader")
struct ResponseReaderTests {
  private static let answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 500",
    "HTTP/1.1 200 OK\r\ncontent-length:\t5 \r\nConnection: Close\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n002 ;a=\"b\"\r\nlo\r\n0;x\r\nA: b\r\nC: d\r\n\r\nmore",
    "HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello",
    "HTTP/1.1 100\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n",
    "HTTP/1.1 200 OK\r\nA: " + String(repeating: "b", count: 200) + "\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "HTTP/1.1 200 OK\r\n\rContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 51),
  ]

  @Test("The result does not depend on how the bytes are cut", arguments: answers)
  func cuts(text: String) {
    let bytes = Array(text.utf8)
    for ends in [false, true] {
      let whole = read(bytes, cuts: [], ends: ends)
      for cut in 0...bytes.count { #expect(read(bytes, cuts: [cut], ends: ends) == whole) }
      #expect(read(bytes, cuts: Array(0...bytes.count), ends: ends) == whole)
    }
  }

  @Test("Bodies, and what is left behind them")
  func bodies() {
    let hello = Array("hello".utf8)
    #expect(read(Self.answers[0]) == .complete(status: 200, body: hello, used: 43, keepAlive: true))
    #expect(read(Self.answers[1]) == .complete(status: 200, body: hello, used: 63, keepAlive: false))
    #expect(
      read(Self.answers[2])
        == .complete(status: 200, body: hello, used: Self.answers[2].utf8.count - 4, keepAlive: true))
    #expect(read(Self.answers[3]) == .complete(status: 204, body: [], used: 45, keepAlive: true))
    #expect(read(Self.answers[4]) == .complete(status: 200, body: hello, used: 24, keepAlive: false))
    #expect(read(Self.answers[4], ends: false) == .incomplete)
    #expect(read(Self.answers[5]) == .complete(status: 404, body: [], used: 61, keepAlive: true))
  }

  @Test("Limits hold to the byte")
  func limitsAreExact() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: "
    for (count, isTaken) in [(200, true), (201, false)] {
      let text = head + String(repeating: "b", count: count - head.utf8.count - 4) + "\r\n\r\n"
      #expect(text.utf8.count == count)
      #expect((read(text) == .fault(.headTooLarge)) == !isTaken)
    }
    for (count, isTaken) in [(4, true), (5, false)] {
      let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + String(repeating: "A: b\r\n", count: count) + "\r\n"
      #expect((read(text) == .fault(.headTooLarge)) == !isTaken)
    }
    for (count, isTaken) in [(50, true), (51, false)] {
      let body = String(repeating: "x", count: count)
      for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n\(body)", "HTTP/1.1 200 OK\r\n\r\n\(body)",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body.map { "1\r\n\($0)\r\n" }.joined() + "0\r\n\r\n",
      ] {
        #expect((read(text) == .fault(.bodyTooLarge)) == !isTaken, "\(text)")
      }
    }
  }

  @Test("101 is an answer only to who asked for another protocol")
  func upgrades() {
    let bytes = Array("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\nframes".utf8)
    #expect(read(bytes, cuts: []) == .fault(.malformed(.unexpectedUpgrade)))
    guard case .complete(101, [], bytes.count - 6, _) = read(bytes, cuts: [], isUpgrade: true) else {
      Issue.record("not taken")
      return
    }
    #expect(
      read(Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8), cuts: [], isUpgrade: true)
        == .complete(status: 200, body: Array("ok".utf8), used: 40, keepAlive: true))
  }

  @Test("Mutated answers never trap, never use more than there is, and never pass the limits")
  func mutations() {
    var generator = SeededGenerator(seed: 7)
    for round in 0..<30_000 {
      var bytes = Array(Self.answers[round % Self.answers.count].utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(contentsOf: bytes[place..<min(place + 20, bytes.count)], at: place)
        default: bytes.insert(Array("\r\n :;0f,".utf8).randomElement(using: &generator) ?? 0, at: place)
        }
        if bytes.isEmpty { bytes = [0x48] }
      }
      let cuts = (0..<3).map { _ in Int.random(in: 0...bytes.count, using: &generator) }.sorted()
      let whole = read(bytes, cuts: [])
      #expect(read(bytes, cuts: cuts) == whole, "\(String(decoding: bytes, as: UTF8.self))")
      if case .complete(_, let body, let used, _) = whole {
        #expect(body.count <= limits.bodyBytes && used <= bytes.count)
      }
    }
  }
}

@Suite("WebSocket frames")
struct WebSocketFrameTests {
  /// All events, and the fault that ended them.
  private func events(
    _ bytes: [UInt8], cuts: [Int] = [], limit: Int = 1000
  ) -> ([WebSocketEvent], WebSocketFault?) {
    var reader = WebSocketFrameReader(messageBytes: limit)
    var events: [WebSocketEvent] = []
    var start = 0
    for cut in cuts + [bytes.count] where cut >= start {
      while start < cut {
        do throws(WebSocketFault) {
          let (count, event) = try reader.read(bytes.span.extracting(start..<cut))
          if let event { events.append(event) }
          start += count
        } catch {
          return (events, error)
        }
      }
    }
    return (events, nil)
  }

  @Test("What a client writes has its mask taken off by the rule, and the shortest length")
  func writing() {
    for count in [0, 1, 125, 126, 65_535, 65_536] {
      let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      var output: [UInt8] = [0xAA]
      WebSocketFrameWriter.append(.text, payload, mask: 0x0102_0304, to: &output)
      let lengthBytes = count < 126 ? 1 : count < 65_536 ? 3 : 9
      #expect(output.count == 1 + 1 + lengthBytes + 4 + count)
      #expect(output[1] == 0x81)
      #expect(output[2] == (count < 126 ? 0x80 | UInt8(count) : count < 65_536 ? 0xFE : 0xFF))
      if count >= 126 { #expect(output[3..<2 + lengthBytes].reduce(0) { $0 << 8 | Int($1) } == count) }
      #expect(output[(2 + lengthBytes)..<(6 + lengthBytes)].elementsEqual([1, 2, 3, 4]))
      #expect(output[(6 + lengthBytes)...].enumerated().allSatisfy { $1 ^ UInt8($0 % 4 + 1) == payload[$0] })
    }
    let long = WebSocketFrameWriter.closingPayload(code: 4001, reason: String(repeating: "é", count: 100))
    #expect(long.count == 124 && long.prefix(2).elementsEqual([0x0F, 0xA1]))
    #expect(String(validating: long[2...], as: UTF8.self) != nil)
  }

  @Test("The events do not depend on how the bytes are cut; limits hold to the byte")
  func reading() {
    let text = [0x81, 0x7E, 0x01, 0x00] + [UInt8](repeating: 0x61, count: 256)
    let stream =
      text + [0x01, 0x01, 0xC3, 0x89, 0x02, 0x68, 0x69, 0x80, 0x01, 0xA9, 0x88, 0x04, 0x0F, 0xA1, 0x6E, 0x6F]
    let expected: [WebSocketEvent] = [
      .text(Array(text.dropFirst(4))), .ping([0x68, 0x69]), .text([0xC3, 0xA9]), .close(code: 4001, reason: "no"),
    ]
    for cut in 0...stream.count {
      let (seen, fault) = events(stream, cuts: [cut])
      #expect(seen == expected && fault == nil)
    }
    #expect(events(stream, cuts: Array(0...stream.count)).0 == expected)
    #expect(events(text, limit: 256).1 == nil)
    #expect(events(text, limit: 255).1 == .messageTooLong)
    #expect(events([0x01, 0x03, 0x61, 0x61, 0x61, 0x80, 0x02, 0x61, 0x61], limit: 5).1 == nil)
    #expect(events([0x01, 0x03, 0x61, 0x61, 0x61, 0x80, 0x03], limit: 5).1 == .messageTooLong)
  }

  @Test("Random bytes never trap, and give the same events however they are cut")
  func randomBytes() {
    var generator = SeededGenerator(seed: 11)
    let headers: [UInt8] = [0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8A]
    for _ in 0..<30_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        bytes.append(headers.randomElement(using: &generator) ?? 0)
        let count = UInt8.random(in: 0...6, using: &generator)
        bytes.append(Int.random(in: 0..<20, using: &generator) == 0 ? .random(in: 0...255, using: &generator) : count)
        for _ in 0..<count { bytes.append(.random(in: 0x00...0xC4, using: &generator)) }
      }
      let cuts = (0..<3).map { _ in Int.random(in: 0...bytes.count, using: &generator) }.sorted()
      let whole = events(bytes)
      let cut = events(bytes, cuts: cuts)
      #expect(whole.0 == cut.0 && whole.1 == cut.1)
    }
  }
}
