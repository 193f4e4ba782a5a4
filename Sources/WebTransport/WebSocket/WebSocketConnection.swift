import CWebSockets
import Glibc
import HTTPFormat

/// A WebSocket that a client has opened.
///
/// `@unchecked Sendable`: everything but what is `let` belongs to the loop's thread, and the public entries check that.
public final class WebSocketConnection: Placed, @unchecked Sendable {
  /// The loop on which this connection lives.
  public let loop: EventLoop
  /// The address of the other end, without its port.
  public let peerAddress: String
  private let hub: WebSocketHub
  private let handler: any WebSocketHandler
  private let limits: WebConfiguration.WebSocketLimits
  private let fields: HTTPFields
  private var seat: ConnectionSeat?
  /// Index among the connections of the hub; -1 outside.
  var place = -1

  /// libwebsockets' connection; nil before the handshake and after the end.
  private var connection: OpaquePointer?
  private var state = State.handshake
  /// Whether libwebsockets is calling: then it closes by the result of the call, and writes wait.
  private var isCalledBack = false
  private var message: [UInt8] = []
  private var queue: [WebSocketFrame] = []
  private var queueStart = 0
  private var closing: (code: UInt16, reason: [UInt8])?
  private var firstCode: UInt16?
  private var lastHeard: UInt64 = 0
  private var isPingSent = false
  private var isCut = false

  private enum State {
    case handshake
    case open
    /// We want to close, and the closing frame has not been handed over yet.
    case closeWanted
    /// A closing frame of ours or of the client's is on its way.
    case closing
    case closed
  }

  /// Bytes of payload that wait to be sent, apart from what the system and libwebsockets have taken (at most one frame).
  public private(set) var queuedBytes = 0

  /// Longest reason of a closing frame (RFC 6455 §5.5: 125 bytes with the code).
  private static let mostReasonBytes = 123
  /// Stands for a closing frame without a code (RFC 6455 §7.1.5).
  private static let noCode: UInt16 = 1005
  /// Frames written in one go; the others of the loop come in between.
  private static let framesPerWrite = 64

  init(_ hub: WebSocketHub, _ handshake: WebSocketHandshake) {
    self.hub = hub
    loop = hub.loop
    limits = hub.limits
    peerAddress = handshake.peerAddress
    handler = handshake.handler
    fields = handshake.fields
    seat = handshake.seat
  }

  /// Whether frames can be sent.
  public var isOpen: Bool {
    precondition(loop.isCurrent)
    return state == .open
  }

  // MARK: - Sending

  /// Sends a message, after those sent before. On the loop only.
  ///
  /// False when it is not sent: the connection is closing, or `WebSocketLimits.queuedBytes` would be passed because the
  /// client does not take what it gets. The caller then closes the connection: a message is missing from it.
  @discardableResult
  public func send(_ frame: WebSocketFrame) -> Bool {
    precondition(loop.isCurrent)
    guard state == .open, let connection else { return false }
    if !isCalledBack, queueStart == queue.count, lws_partial_buffered(connection) == 0 {
      if !frame.write(to: connection) { cut() }
      return state == .open
    }
    guard queuedBytes + frame.byteCount <= limits.queuedBytes else { return false }
    queue.append(frame)
    queuedBytes += frame.byteCount
    lws_callback_on_writable(connection)
    return true
  }

  /// Closes the connection with a code and a reason. On the loop only.
  ///
  /// Messages that wait in the queue are dropped; one that is already on its way is finished first. The handler's `closed`
  /// comes when the client has answered, or after `WebSocketLimits.closingDeadline`.
  ///
  /// - Parameters:
  ///   - code: 1000…1003, 1007…1011 or 3000…4999 (RFC 6455 §7.4).
  ///   - reason: At most 123 bytes; what is longer is cut.
  public func close(code: UInt16, reason: String) {
    precondition(loop.isCurrent)
    guard state == .open, let connection else { return }
    state = .closeWanted
    firstCode = code
    closing = (code, WebSocketConnection.fitting(reason))
    dropQueue()
    loop.schedule(after: limits.closingDeadline) { [weak self] in self?.cut() }
    if !isCalledBack {
      if lws_partial_buffered(connection) == 0 {
        closeIfWanted()
      } else {
        lws_callback_on_writable(connection)
      }
    }
  }

  private static func fitting(_ reason: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for character in reason.unicodeScalars {
      let encoded = Array(String(character).utf8)
      guard bytes.count + encoded.count <= mostReasonBytes else { break }
      bytes += encoded
    }
    return bytes
  }

  /// Gives code and reason to libwebsockets, which sends them when the connection is closed.
  private func sendClosingFrame(_ connection: OpaquePointer) {
    guard let closing = closing.take() else { return }
    state = .closing
    var reason = closing.reason
    lws_close_reason(connection, lws_close_status(rawValue: UInt32(closing.code)), &reason, reason.count)
  }

  /// Ends the connection at once: the client gets no closing frame, and what is on its way to it is lost.
  func cut() {
    guard state != .closed, let connection else { return }
    state = .closing
    dropQueue()
    let descriptor = lws_get_socket_fd(connection)
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    // libwebsockets would wait for its last frame to be taken; on a socket that is shut it gives up.
    shutdown(descriptor, Int32(SHUT_RDWR))
    isCut = true
    if !isCalledBack { lws_set_timeout(connection, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC) }
  }

  private func dropQueue() {
    queue = []
    queueStart = 0
    queuedBytes = 0
  }

  // MARK: - Signs of life

  /// Asks a silent client whether it is there, and cuts one that does not say so.
  func checkLife(_ now: UInt64) {
    guard state == .open, let connection else { return }
    let silence = now - lastHeard
    if silence >= limits.pingInterval.roundedMilliseconds + limits.pongDeadline.roundedMilliseconds {
      cut()
    } else if silence >= limits.pingInterval.roundedMilliseconds, !isPingSent, lws_partial_buffered(connection) == 0 {
      isPingSent = true
      if !WebSocketConnection.ping(connection) { cut() }
    }
  }

  /// One byte, because libwebsockets does not report an answer without any.
  private static func ping(_ connection: OpaquePointer) -> Bool {
    let headroom = cwebsockets_pre()
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: headroom + 1) { buffer in
      buffer.initialize(repeating: 0)
      return lws_write(connection, buffer.baseAddress.map { $0 + headroom }, 1, LWS_WRITE_PING) >= 0
    }
  }

  private func heard() {
    lastHeard = loop.milliseconds
    isPingSent = false
  }

  // MARK: - Called by libwebsockets

  /// Runs a callback; -1 tells libwebsockets to close.
  func called(_ connection: OpaquePointer, _ work: (OpaquePointer) -> Void) -> Int32 {
    isCalledBack = true
    work(connection)
    isCalledBack = false
    // After the client's own closing frame libwebsockets answers by itself.
    guard state == .closeWanted else { return isCut ? -1 : 0 }
    guard lws_partial_buffered(connection) == 0 else {
      lws_callback_on_writable(connection)
      return 0
    }
    // Not from within the callback: libwebsockets may end here without the frame when it has just sent what was buffered.
    loop.execute { [self] in closeIfWanted() }
    return 0
  }

  /// Begins the closing handshake that was asked for within a callback.
  private func closeIfWanted() {
    guard state == .closeWanted, let connection, lws_partial_buffered(connection) == 0 else { return }
    sendClosingFrame(connection)
    // With a reason set, this begins the closing handshake.
    lws_set_timeout(connection, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC)
  }

  /// Writes the further fields of the 101 response; false when they do not fit.
  func addFields(to arguments: UnsafeMutablePointer<lws_process_html_args>) -> Bool {
    let count = fields.bytes.count
    guard count + 2 <= Int(arguments.pointee.max_len), let place = arguments.pointee.p else { return false }
    fields.bytes.withUnsafeBytes { bytes in
      UnsafeMutableRawBufferPointer(start: place, count: count).copyMemory(from: bytes)
    }
    arguments.pointee.p = place + count
    return true
  }

  /// The result is always 0: anything else would end the connection without a closing frame.
  func established(_ connection: OpaquePointer) -> Int32 {
    self.connection = connection
    state = .open
    lastHeard = loop.milliseconds
    hub.insert(self)
    isCalledBack = true
    handler.opened(self)
    isCalledBack = false
    if state != .open { lws_callback_on_writable(connection) }
    return 0
  }

  func received(_ bytes: UnsafeRawBufferPointer, _ connection: OpaquePointer) {
    heard()
    guard state == .open else { return }
    let left = lws_remaining_packet_payload(connection)
    // Also what the frame has only announced.
    guard message.count + bytes.count <= limits.messageBytes, left <= limits.messageBytes - message.count - bytes.count
    else {
      message = []
      close(code: 1008, reason: "message too long")
      return
    }
    message.append(contentsOf: bytes)
    guard lws_is_final_fragment(connection) != 0 else { return }
    let whole = message
    message = []
    if lws_frame_is_binary(connection) != 0 {
      handler.received(binary: whole, on: self)
    } else if String(validating: whole, as: UTF8.self) != nil {
      handler.received(text: whole, on: self)
    } else {
      close(code: 1007, reason: "text is not UTF-8")
    }
  }

  func receivedPong() { heard() }

  func receivedClose(_ payload: UnsafeRawBufferPointer) {
    guard state == .open || state == .closeWanted else { return }
    if state == .open {
      firstCode = payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : WebSocketConnection.noCode
    }
    state = .closing
    closing = nil
    dropQueue()
    loop.schedule(after: limits.closingDeadline) { [weak self] in self?.cut() }
  }

  func writable(_ connection: OpaquePointer) {
    guard state == .open else { return }
    for _ in 0..<WebSocketConnection.framesPerWrite {
      guard queueStart < queue.count, lws_partial_buffered(connection) == 0 else { break }
      let frame = queue[queueStart]
      queueStart += 1
      queuedBytes -= frame.byteCount
      guard frame.write(to: connection) else {
        cut()
        return
      }
    }
    if queueStart == queue.count {
      dropQueue()
    } else {
      if queueStart > queue.count / 2 {
        queue.removeFirst(queueStart)
        queueStart = 0
      }
      lws_callback_on_writable(connection)
    }
  }

  /// The connection has gone from libwebsockets, also when it was never opened.
  func ended() {
    guard state != .closed else { return }
    let wasOpened = state != .handshake
    state = .closed
    connection = nil
    dropQueue()
    message = []
    seat = nil
    hub.remove(self)
    if wasOpened { handler.closed(self, code: firstCode) }
  }
}
