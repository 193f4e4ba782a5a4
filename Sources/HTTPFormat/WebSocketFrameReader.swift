/// What a server has sent over a WebSocket.
public enum WebSocketEvent: Hashable, Sendable {
  /// A whole text message, valid UTF-8.
  case text([UInt8])
  /// A whole binary message.
  case binary([UInt8])
  /// To be answered with a pong of the same payload.
  case ping([UInt8])
  case pong([UInt8])
  /// The last frame. Without a code, `code` is nil.
  case close(code: UInt16?, reason: String)
}

/// Why a WebSocket is given up, with the code of the closing frame that says so (RFC 6455 §7.4.1).
public enum WebSocketFault: Error, Hashable, Sendable {
  /// 1002.
  case protocolViolation(WebSocketViolation)
  /// 1007: text, or the reason of a closing frame, is not UTF-8.
  case notUTF8
  /// 1009.
  case messageTooLong

  /// The code that tells the server.
  public var code: UInt16 {
    switch self {
    case .protocolViolation: 1002
    case .notUTF8: 1007
    case .messageTooLong: 1009
    }
  }

  /// What is wrong, as the end of a sentence.
  public var reason: String {
    switch self {
    case .protocolViolation(let violation): violation.rawValue
    case .notUTF8: "a message is not UTF-8"
    case .messageTooLong: "a message is too long"
    }
  }
}

/// What exactly breaks RFC 6455.
public enum WebSocketViolation: String, Hashable, Sendable, CaseIterable {
  case reservedBits = "a frame uses an extension that was not agreed on"
  case opcode = "a frame is of an unknown kind"
  case masked = "a frame of the server is masked"
  case length = "the length of a frame is not written in the shortest form"
  case control = "a control frame is longer than 125 bytes or in parts"
  case continuation = "a message begins or goes on where it must not"
  case close = "a closing frame has an impossible code"
}

/// Reads the frames that a server sends, strictly (RFC 6455 §5). A fault is final.
public struct WebSocketFrameReader: Sendable {
  /// Longest payload of a control frame (§5.5).
  public static let longestControlPayload = 125

  private enum Opcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
  }

  private struct Frame {
    let opcode: Opcode
    let isFinal: Bool
    var left: Int
  }

  private let messageBytes: Int
  private var header: [UInt8] = []
  private var frame: Frame?
  private var messageOpcode: Opcode?
  private var message: [UInt8] = []
  private var control: [UInt8] = []

  /// - Parameter messageBytes: Longest message, of all its frames together. It is refused when its length is announced.
  public init(messageBytes: Int) {
    self.messageBytes = messageBytes
  }

  /// Takes bytes up to the next event, and returns how many, with that event; all of them if it has not come whole.
  public mutating func read(_ input: Span<UInt8>) throws(WebSocketFault) -> (byteCount: Int, event: WebSocketEvent?) {
    var position = 0
    while true {
      if var current = frame {
        let count = min(current.left, input.count - position)
        take(input.extracting(position..<position + count), of: current)
        position += count
        current.left -= count
        frame = current
        guard current.left == 0 else { return (position, nil) }
        frame = nil
        if let event = try finish(current) { return (position, event) }
      } else {
        guard position < input.count else { return (position, nil) }
        header.append(input[position])
        position += 1
        frame = try readHeader()
      }
    }
  }

  private mutating func take(_ bytes: Span<UInt8>, of frame: Frame) {
    bytes.withUnsafeBufferPointer { bytes in
      if frame.opcode.isControl {
        control.append(contentsOf: bytes)
      } else {
        message.append(contentsOf: bytes)
      }
    }
  }

  /// The frame, once its header has come whole.
  private mutating func readHeader() throws(WebSocketFault) -> Frame? {
    guard header.count >= 2 else { return nil }
    guard header[0] & 0x70 == 0 else { throw .protocolViolation(.reservedBits) }
    guard let opcode = Opcode(rawValue: header[0] & 0x0F) else { throw .protocolViolation(.opcode) }
    guard header[1] & 0x80 == 0 else { throw .protocolViolation(.masked) }
    let isFinal = header[0] & 0x80 != 0
    let short = Int(header[1])
    if opcode.isControl, !isFinal || short > WebSocketFrameReader.longestControlPayload {
      throw .protocolViolation(.control)
    }
    let extra = short == 126 ? 2 : short == 127 ? 8 : 0
    guard header.count == 2 + extra else { return nil }
    let length = try extra == 0 ? short : longLength(least: extra == 2 ? 126 : 65_536)
    header.removeAll(keepingCapacity: true)
    if !opcode.isControl {
      guard (opcode == .continuation) == (messageOpcode != nil) else { throw .protocolViolation(.continuation) }
      guard length <= messageBytes - message.count else { throw .messageTooLong }
      if opcode != .continuation { messageOpcode = opcode }
    }
    return Frame(opcode: opcode, isFinal: isFinal, left: length)
  }

  private func longLength(least: UInt64) throws(WebSocketFault) -> Int {
    let length = header[2...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    guard length >= least, length <= UInt64(Int.max) else { throw .protocolViolation(.length) }
    return Int(length)
  }

  /// What a whole frame means; nil when its message goes on.
  private mutating func finish(_ frame: Frame) throws(WebSocketFault) -> WebSocketEvent? {
    guard !frame.opcode.isControl else {
      defer { control.removeAll(keepingCapacity: true) }
      switch frame.opcode {
      case .ping: return .ping(control)
      case .pong: return .pong(control)
      default: return try closing()
      }
    }
    guard frame.isFinal else { return nil }
    let isText = messageOpcode == .text
    let whole = message
    messageOpcode = nil
    message = []
    guard isText else { return .binary(whole) }
    guard String(validating: whole, as: UTF8.self) != nil else { throw .notUTF8 }
    return .text(whole)
  }

  private func closing() throws(WebSocketFault) -> WebSocketEvent {
    guard !control.isEmpty else { return .close(code: nil, reason: "") }
    guard control.count >= 2 else { throw .protocolViolation(.close) }
    let code = UInt16(control[0]) << 8 | UInt16(control[1])
    // §7.4: these may be sent; 1004…1006 and 1015 may not, and the rest is not given out yet.
    guard (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code) else {
      throw .protocolViolation(.close)
    }
    guard let reason = String(validating: control[2...], as: UTF8.self) else { throw .notUTF8 }
    return .close(code: code, reason: reason)
  }
}
