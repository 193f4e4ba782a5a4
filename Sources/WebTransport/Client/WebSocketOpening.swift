import COpenSSL
import HTTPFormat

/// The client's side of an opening handshake (RFC 6455 §4.1).
struct WebSocketOpening: Sendable {
  let origin: WebOrigin
  /// The request, as it is sent.
  let bytes: [UInt8]
  private let expectedAnswer: String

  init(_ origin: WebOrigin, target: String, fields: HTTPFields) throws(WebClientError) {
    guard RequestSerializer.isValidTarget(target) else {
      throw WebClientError(.invalidRequest, "the request target is not a plain path and query")
    }
    for name in HTTPExchange.ownFields + WebSocketOpening.ownFields where fields.value(of: name) != nil {
      throw WebClientError(.invalidRequest, "the field \(name) is written by the client alone")
    }
    self.origin = origin
    var generator = SystemRandomNumberGenerator()
    let key = WebSocketOpening.base64((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    bytes = RequestSerializer.webSocketHandshake(target: target, host: origin.hostField, fields: fields, key: key)
    expectedAnswer = WebSocketOpening.answer(to: key)
  }

  private static let ownFields: [StaticString] = [
    "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions",
  ]

  /// Throws unless `head` opens the WebSocket, just as it was asked for.
  func check(_ head: ResponseHead) throws(WebClientError) {
    guard head.status == 101 else {
      let reason = "\(origin) does not open a WebSocket here: it answered with status \(head.status)"
      throw WebClientError(
        (300..<400).contains(head.status) ? .redirected : .upgradeRefused, reason, status: head.status)
    }
    guard head.value(of: "upgrade")?.lowercased() == "websocket", head.hasElement("upgrade", in: "connection"),
      head.value(of: "sec-websocket-accept") == expectedAnswer, head.count(of: "sec-websocket-extensions") == 0,
      head.count(of: "sec-websocket-protocol") == 0
    else {
      throw WebClientError(.malformedAnswer, "the answer of \(origin) does not fit the WebSocket handshake")
    }
  }

  /// The value of `Sec-WebSocket-Accept` for a key: base64 of SHA-1 of the key and a fixed text (§4.2.2).
  static func answer(to key: String) -> String {
    let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
    var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
    SHA1(text, text.count, &digest)
    return base64(digest)
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    // Four characters for each three bytes, and a zero.
    var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
    EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
    return String(decoding: text.dropLast(), as: UTF8.self)
  }
}
