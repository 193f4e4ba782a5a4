/// Writes requests as bytes (RFC 9112 §3).
public enum RequestSerializer {
  /// Whether `target` can be sent: origin-form, printable ASCII without spaces and `#`.
  public static func isValidTarget(_ target: String) -> Bool {
    target.utf8.first == ASCII.slash
      && target.utf8.allSatisfy { $0 > ASCII.space && $0 < ASCII.delete && $0 != ASCII.hash }
  }

  /// Whether `host` can be sent as `Host`: a name or address, an IPv6 address in brackets, and an optional port.
  public static func isValidHost(_ host: String) -> Bool {
    let bytes = Array(host.utf8)
    guard bytes.count <= HTTPLimits.largestHeadBytes else { return false }
    return Authority.isValid(bytes.span, ByteRange(0, bytes.count))
  }

  /// A whole request.
  ///
  /// - Parameters:
  ///   - method: Not `CONNECT`, and a token.
  ///   - target: As `isValidTarget` allows.
  ///   - host: As `isValidHost` allows.
  ///   - fields: Everything else; the length is added where the method or the body asks for it.
  public static func bytes(
    _ method: HTTPMethod, target: String, host: String, fields: HTTPFields, body: [UInt8] = []
  ) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(headRoom + target.utf8.count + host.utf8.count + fields.bytes.count + body.count)
    output.append(contentsOf: "\(method.name) \(target) HTTP/1.1\r\nHost: \(host)\r\n".utf8)
    output.append(contentsOf: fields.bytes)
    if !body.isEmpty || method == .post || method == .put || method == .patch {
      output.append(contentsOf: "Content-Length: \(body.count)\r\n".utf8)
    }
    output.append(contentsOf: "\r\n".utf8)
    output.append(contentsOf: body)
    return output
  }

  /// The opening handshake of a WebSocket, without subprotocols and extensions (RFC 6455 §4.1).
  ///
  /// - Parameters:
  ///   - target: As `isValidTarget` allows.
  ///   - host: As `isValidHost` allows.
  ///   - fields: Everything else.
  ///   - key: Base64 of 16 random bytes.
  public static func webSocketHandshake(target: String, host: String, fields: HTTPFields, key: String) -> [UInt8] {
    var output = Array("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n".utf8)
    output.append(contentsOf: fields.bytes)
    output.append(contentsOf: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n".utf8)
    output.append(contentsOf: "Sec-WebSocket-Key: \(key)\r\n\r\n".utf8)
    return output
  }

  /// More than the method, the version and the names of the fields written here take.
  private static let headRoom = 96
}
