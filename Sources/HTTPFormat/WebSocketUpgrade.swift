/// A valid opening handshake of a WebSocket client (RFC 6455 §4.2.1).
public struct WebSocketUpgrade: Hashable, Sendable {
  /// Why a handshake is refused.
  public enum Refusal: Error, Hashable, Sendable {
    /// Not `GET`, not HTTP/1.1, without `Upgrade: websocket` or without `Connection: upgrade`: an ordinary request.
    case notAnUpgrade
    /// It declares a body, which would be taken for frames.
    case body
    /// `Sec-WebSocket-Key` is not, exactly once, canonical base64 of 16 bytes.
    case key
    /// `Sec-WebSocket-Version` is not, exactly once, 13. Answered with 426 and `Sec-WebSocket-Version: 13` (§4.4).
    case version
  }

  /// The only version there is (RFC 6455 §4.1).
  public static let version = "13"

  /// The 24 characters of `Sec-WebSocket-Key`.
  public let key: [UInt8]

  /// Checks a head that has `RequestHead.isWebSocketUpgrade`.
  public init(_ head: RequestHead) throws(Refusal) {
    guard head.method == .get, head.isWebSocketUpgrade else { throw .notAnUpgrade }
    guard (head.contentLength ?? 0) == 0 else { throw .body }
    guard let version = head.soleValueBytes(of: "sec-websocket-version"),
      version.elementsEqual(WebSocketUpgrade.version.utf8)
    else { throw .version }
    guard let key = head.soleValueBytes(of: "sec-websocket-key"), HandshakeBase64.isCanonicalOf16Bytes(key)
    else { throw .key }
    self.key = Array(key)
  }

  /// A handshake in our own words, to be read by libwebsockets in place of the client's: nothing of the client's but the
  /// key is in it. Extensions are left out, so none is negotiated.
  ///
  /// - Parameters:
  ///   - path: A fixed path that begins with a slash.
  ///   - subprotocol: The name by which libwebsockets finds its protocol. The client did not ask for it, so its answer
  ///     must not reach the client: see `switchingProtocolsResponse`.
  public func canonicalRequest(path: StaticString = "/", subprotocol: StaticString) -> [UInt8] {
    var request: [UInt8] = []
    request.append(contentsOf: "GET \(path) HTTP/1.1\r\nHost: localhost\r\n".utf8)
    request.append(contentsOf: "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ".utf8)
    request.append(contentsOf: key)
    request.append(contentsOf: "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n".utf8)
    return request
  }

  /// The value of `Sec-WebSocket-Accept` for a key: base64 of SHA-1 of the key and a fixed text (RFC 6455 §4.2.2).
  public static func acceptValue(_ key: [UInt8]) -> [UInt8] {
    HandshakeBase64.encode(SHA1.hash(key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
  }

  /// The whole `101 Switching Protocols` head for this client: no subprotocol, no extensions.
  ///
  /// - Parameter fields: Further fields, such as those of CORS.
  public func switchingProtocolsResponse(fields: HTTPFields = HTTPFields()) -> [UInt8] {
    var response = Array("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n".utf8)
    response.append(contentsOf: "sec-websocket-accept: ".utf8)
    response.append(contentsOf: WebSocketUpgrade.acceptValue(key))
    response.append(contentsOf: "\r\n".utf8)
    response.append(contentsOf: fields.bytes)
    response.append(contentsOf: "\r\n".utf8)
    return response
  }
}
