import CWebSockets
import Glibc

/// WebSockets of clients, as libwebsockets knows them: the first protocol of a vhost of its own, to which it gives
/// every handshake that names no subprotocol. Ours never do.
enum WebSocketProtocol {
  /// Bytes that are received at once, and that each connection keeps a buffer for.
  static let receivedBytes = 1024
  /// Bytes that are handed to the system at once; the rest of a larger frame would be copied.
  static let sentBytes = 1_048_576

  /// Never freed: vhosts point to it.
  ///
  /// `nonisolated(unsafe)`: written here once and only read afterwards.
  nonisolated(unsafe) static let list: UnsafePointer<lws_protocols> = {
    let list = UnsafeMutablePointer<lws_protocols>.allocate(capacity: 2)
    list.initialize(repeating: lws_protocols(), count: 2)
    list[0].name = UnsafePointer(strdup("client"))
    list[0].callback = webSocketCallback
    list[0].rx_buffer_size = receivedBytes
    list[0].tx_packet_size = sentBytes
    return UnsafePointer(list)
  }()

  /// A policy of libwebsockets that does nothing. Its signs of life use a list that is searched for each connection;
  /// `WebSocketHub` does without.
  ///
  /// `nonisolated(unsafe)`: only read after it was made.
  nonisolated(unsafe) static let noLifeChecks: UnsafePointer<lws_retry_bo_t> = {
    let policy = UnsafeMutablePointer<lws_retry_bo_t>.allocate(capacity: 1)
    policy.initialize(to: lws_retry_bo_t())
    return UnsafePointer(policy)
  }()
}

private let webSocketCallback:
  @convention(c) (
    OpaquePointer?, lws_callback_reasons, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int
  ) -> Int32 = { connection, reason, _, input, count in
    guard let connection else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: input, count: input == nil ? 0 : count)
    return switch reason {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: take(connection)
    // Only our own handshakes come here, so there is never anything else to answer.
    case LWS_CALLBACK_HTTP: -1
    case LWS_CALLBACK_ADD_HEADERS: addFields(connection, input)
    case LWS_CALLBACK_ESTABLISHED: socket(of: connection)?.established(connection) ?? -1
    case LWS_CALLBACK_RECEIVE: call(connection) { $0.received(bytes, $1) }
    case LWS_CALLBACK_RECEIVE_PONG: call(connection) { socket, _ in socket.receivedPong() }
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: call(connection) { socket, _ in socket.receivedClose(bytes) }
    case LWS_CALLBACK_SERVER_WRITEABLE: call(connection) { $0.writable($1) }
    case LWS_CALLBACK_CLOSED: ended(connection)
    case LWS_CALLBACK_WSI_DESTROY: release(connection)
    default: 0
    }
  }

/// Ties the connection that is being handed over to libwebsockets' own.
private func take(_ connection: OpaquePointer) -> Int32 {
  guard let user = lws_context_user(lws_get_context(connection)) else { return -1 }
  let loop = Unmanaged<EventLoop>.fromOpaque(user).takeUnretainedValue()
  guard let socket = loop.webSocketInHandover.take() else { return -1 }
  lws_set_opaque_user_data(connection, Unmanaged.passRetained(socket).toOpaque())
  return 0
}

private func socket(of connection: OpaquePointer) -> WebSocketConnection? {
  guard let opaque = lws_get_opaque_user_data(connection) else { return nil }
  return Unmanaged<WebSocketConnection>.fromOpaque(opaque).takeUnretainedValue()
}

private func call(
  _ connection: OpaquePointer, _ work: (WebSocketConnection, OpaquePointer) -> Void
) -> Int32 {
  guard let socket = socket(of: connection) else { return -1 }
  return socket.called(connection) { work(socket, $0) }
}

private func addFields(_ connection: OpaquePointer, _ input: UnsafeMutableRawPointer?) -> Int32 {
  guard let socket = socket(of: connection), let input else { return -1 }
  return socket.addFields(to: input.assumingMemoryBound(to: lws_process_html_args.self)) ? 0 : -1
}

private func ended(_ connection: OpaquePointer) -> Int32 {
  socket(of: connection)?.ended()
  return 0
}

private func release(_ connection: OpaquePointer) -> Int32 {
  guard let opaque = lws_get_opaque_user_data(connection) else { return 0 }
  lws_set_opaque_user_data(connection, nil)
  Unmanaged<WebSocketConnection>.fromOpaque(opaque).takeRetainedValue().ended()
  return 0
}
