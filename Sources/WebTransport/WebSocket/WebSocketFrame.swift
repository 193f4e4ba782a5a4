import CWebSockets

/// A message ready to be sent, to one connection or to thousands.
///
/// `@unchecked Sendable`: the payload never changes after `init`. libwebsockets writes the frame's header in front of it,
/// always the same bytes, and only on the loop whose connections send it: a frame is sent on one loop.
public final class WebSocketFrame: @unchecked Sendable {
  /// Whether a message is text.
  enum Kind {
    case text
    case binary
  }

  let kind: Kind
  /// Bytes of payload.
  public let byteCount: Int
  private let storage: UnsafeMutableRawBufferPointer

  /// Bytes in front of the payload that libwebsockets may write to.
  private static let headroom = cwebsockets_pre()

  /// A text message.
  public convenience init(text: String) {
    self.init(.text, Array(text.utf8))
  }

  /// A text message of bytes that are UTF-8: that is not checked, and clients close on anything else.
  public convenience init(utf8 bytes: [UInt8]) {
    self.init(.text, bytes)
  }

  /// A binary message.
  public convenience init(binary bytes: [UInt8]) {
    self.init(.binary, bytes)
  }

  private init(_ kind: Kind, _ payload: [UInt8]) {
    self.kind = kind
    byteCount = payload.count
    storage = .allocate(byteCount: WebSocketFrame.headroom + payload.count, alignment: 16)
    UnsafeMutableRawBufferPointer(rebasing: storage[WebSocketFrame.headroom...]).copyBytes(from: payload)
  }

  deinit { storage.deallocate() }

  /// Writes the message to a connection of the calling loop; false when the connection is broken. What the system does
  /// not take at once is kept by libwebsockets, as a copy.
  func write(to connection: OpaquePointer) -> Bool {
    guard let base = storage.baseAddress else { return false }
    let payload = base.advanced(by: WebSocketFrame.headroom).assumingMemoryBound(to: UInt8.self)
    return lws_write(connection, payload, byteCount, kind == .text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) >= 0
  }
}
