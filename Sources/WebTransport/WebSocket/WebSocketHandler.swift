/// What a service does with one WebSocket. Called on the loop of the connection, one call after the other.
public protocol WebSocketHandler: Sendable {
  /// The connection stands. It may be kept and used until `closed`.
  func opened(_ connection: WebSocketConnection)

  /// The client has sent a text message; `text` is valid UTF-8.
  func received(text: [UInt8], on connection: WebSocketConnection)

  /// The client has sent a binary message.
  func received(binary: [UInt8], on connection: WebSocketConnection)

  /// The connection is over. Called once, for each connection that was opened.
  ///
  /// - Parameter code: The code of the closing frame that came first, the client's or ours; nil when the connection
  ///   broke off.
  func closed(_ connection: WebSocketConnection, code: UInt16?)
}
