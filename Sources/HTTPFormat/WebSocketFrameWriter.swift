/// Writes the frames that a client sends: whole messages, masked (RFC 6455 §5.3).
public enum WebSocketFrameWriter {
  /// A kind of frame.
  public enum Kind: UInt8, Sendable {
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10
  }

  /// Appends a frame to `output`.
  ///
  /// - Parameters:
  ///   - payload: For `close`, `ping` and `pong` at most 125 bytes.
  ///   - mask: Fresh random bits for each frame, so that nobody can choose what goes over the wire.
  public static func append(_ kind: Kind, _ payload: [UInt8], mask: UInt32, to output: inout [UInt8]) {
    output.reserveCapacity(output.count + 14 + payload.count)
    output.append(0x80 | kind.rawValue)
    switch payload.count {
    case ..<126: output.append(0x80 | UInt8(payload.count))
    case ..<65_536:
      output.append(0x80 | 126)
      appendNumber(UInt64(payload.count), byteCount: 2, to: &output)
    default:
      output.append(0x80 | 127)
      appendNumber(UInt64(payload.count), byteCount: 8, to: &output)
    }
    appendNumber(UInt64(mask), byteCount: 4, to: &output)
    for (index, byte) in payload.enumerated() {
      output.append(byte ^ UInt8(truncatingIfNeeded: mask >> UInt32(24 - 8 * (index & 3))))
    }
  }

  /// The payload of a closing frame.
  ///
  /// - Parameter reason: At most 123 bytes of it are sent, whole characters.
  public static func closingPayload(code: UInt16, reason: String) -> [UInt8] {
    var payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
    for character in reason.unicodeScalars {
      let bytes = Array(String(character).utf8)
      guard payload.count + bytes.count <= WebSocketFrameReader.longestControlPayload else { break }
      payload.append(contentsOf: bytes)
    }
    return payload
  }

  private static func appendNumber(_ number: UInt64, byteCount: Int, to output: inout [UInt8]) {
    for place in (0..<byteCount).reversed() { output.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
  }
}
