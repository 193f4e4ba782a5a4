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
  /// key is in it. Extensions and subprotocols are left out, so none is negotiated.
  public func canonicalRequest() -> [UInt8] {
    var request = Array("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".utf8)
    request.append(contentsOf: "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ".utf8)
    request.append(contentsOf: key)
    request.append(contentsOf: "\r\n\r\n".utf8)
    return request
  }
}
