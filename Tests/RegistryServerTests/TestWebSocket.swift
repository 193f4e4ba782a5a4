import Glibc
import PeerstackFormat

/// A WebSocket client that builds every frame by hand.
final class TestWebSocket: @unchecked Sendable {
  /// What came.
  enum Message: Equatable, Sendable {
    case text(String)
    case close(code: Int, reason: String)
  }

  private let connection: TestConnection
  let head: String

  private init(_ connection: TestConnection, head: String) {
    self.connection = connection
    self.head = head
  }

  static let handshakeFields = [
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]

  /// Opens one.
  static func open(
    port: UInt16, _ path: String, _ fields: [String] = []
  ) async throws -> TestWebSocket {
    try await TestConnection.with(port: port) { connection in
      try connection.send("GET", path, handshakeFields + fields)
      let head = try connection.head()
      guard head.hasPrefix("HTTP/1.1 101 ") else { throw TestFailure("no WebSocket: \(head)") }
      return TestWebSocket(connection, head: head)
    }
  }

  func send(_ text: String) async throws { try await send(opcode: 1, Array(text.utf8)) }

  func send(opcode: UInt8, _ payload: [UInt8]) async throws {
    let frame = Self.frame(opcode, payload)
    try await connection.run { try $0.send(frame) }
  }

  private static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x80 | opcode]
    switch payload.count {
    case ..<126: bytes.append(0x80 | UInt8(payload.count))
    case ..<65_536: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default:
      bytes.append(0x80 | 127)
      for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(payload.count >> shift & 255)) }
    }
    let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    bytes += mask
    for (index, byte) in payload.enumerated() { bytes.append(byte ^ mask[index & 3]) }
    return bytes
  }

  /// The next text message or closing frame; pings are passed over.
  func receive() async throws -> Message { try await connection.run { try Self.receive($0) } }

  /// Everything up to the closing frame or the end of the connection, read as soon as the server's metrics say that it has closed somebody.
  func rest(onceClosed port: UInt16) async throws -> [Message] {
    try await connection.run { connection in
      let metrics = try TestConnection(port: port)
      repeat {
        usleep(10_000)
        try metrics.send("GET", "/metrics")
      } while !(try metrics.response().text.contains("registrar_event_closes_total{"))
      var messages: [Message] = []
      while try !connection.isAtEnd() {
        messages.append(try Self.receive(connection))
        if case .close = messages.last { break }
      }
      return messages
    }
  }

  private static func receive(_ connection: TestConnection) throws -> Message {
    while true {
      let start = try connection.bytes(2)
      var length = Int(start[1] & 0x7F)
      if length == 126 { length = try connection.bytes(2).reduce(0) { $0 << 8 | Int($1) } }
      if length == 127 { length = try connection.bytes(8).reduce(0) { $0 << 8 | Int($1) } }
      let payload = try connection.bytes(length)
      switch start[0] & 0x0F {
      case 1: return .text(String(decoding: payload, as: UTF8.self))
      case 8:
        let code = payload.count < 2 ? 0 : Int(payload[0]) << 8 | Int(payload[1])
        return .close(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self))
      default: continue
      }
    }
  }

  /// The indexes of the next entries.
  func indexes(_ count: Int) async throws -> [Int64] {
    var indexes: [Int64] = []
    while indexes.count < count {
      guard case .text(let text) = try await receive(),
        let index = try JSONValue.parseStrict(Array(text.utf8)).object?["index"]?.integer
      else { throw TestFailure("no entry after \(indexes)") }
      indexes.append(index)
    }
    return indexes
  }
}
