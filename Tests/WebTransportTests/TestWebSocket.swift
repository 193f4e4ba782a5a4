/// A WebSocket client that builds every frame by hand.
final class TestWebSocket {
  struct Frame: Equatable {
    var opcode: UInt8
    var payload: [UInt8]
    var isFinal = true
    var text: String { String(decoding: payload, as: UTF8.self) }
    /// The code of a closing frame.
    var code: UInt16? { payload.count < 2 ? nil : UInt16(payload[0]) << 8 | UInt16(payload[1]) }
    /// The reason of a closing frame.
    var reason: String { String(decoding: payload.dropFirst(2), as: UTF8.self) }
  }

  static let text: UInt8 = 1
  static let binary: UInt8 = 2
  static let continuation: UInt8 = 0
  static let close: UInt8 = 8
  static let ping: UInt8 = 9
  static let pong: UInt8 = 10

  static let handshake =
    "GET /ws?after=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    + "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

  let client: TestClient
  /// The head of the 101 response.
  let head: String

  /// - Parameter coalesced: Sent together with the handshake.
  init(_ client: TestClient, coalesced: [UInt8] = []) throws {
    self.client = client
    try client.send(Array(TestWebSocket.handshake.utf8) + coalesced)
    head = try client.head()
  }

  static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, isMasked: Bool = true) -> [UInt8] {
    var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
    let mark: UInt8 = isMasked ? 0x80 : 0
    switch payload.count {
    case ..<126: bytes.append(mark | UInt8(payload.count))
    case ..<65_536: bytes += [mark | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default:
      bytes.append(mark | 127)
      for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(payload.count >> shift & 255)) }
    }
    guard isMasked else { return bytes + payload }
    let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    bytes += mask
    for (index, byte) in payload.enumerated() { bytes.append(byte ^ mask[index & 3]) }
    return bytes
  }

  func send(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) throws {
    try client.send(TestWebSocket.frame(opcode, payload, isFinal: isFinal))
  }

  func send(text: String) throws { try send(TestWebSocket.text, Array(text.utf8)) }

  func receive() throws -> Frame {
    let start = try client.bytes(2)
    var length = Int(start[1] & 0x7F)
    if length == 126 { length = try client.bytes(2).reduce(0) { $0 << 8 | Int($1) } }
    if length == 127 { length = try client.bytes(8).reduce(0) { $0 << 8 | Int($1) } }
    return Frame(opcode: start[0] & 0x0F, payload: try client.bytes(length), isFinal: start[0] & 0x80 != 0)
  }
}
