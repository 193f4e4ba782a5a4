import Glibc

/// Who uses a `ClientStream`. Called on the loop; may do anything to the stream, closing included.
protocol ClientStreamOwner: AnyObject {
  /// The connection stands, TLS included.
  func streamOpened()
  /// Bytes have come. They are gone after the call.
  func streamReceived(_ bytes: UnsafeBufferPointer<UInt8>)
  /// The connection is over, not by `close`. Without an error it was ended in order: under TLS by the server itself, else
  /// by whoever could end it.
  func streamEnded(_ error: WebClientError?)
}

/// A connection to a server: TCP, and TLS on it where the origin wants that. On the loop only.
///
/// The socket and TLS are our own and libwebsockets watches the descriptor. The client of libwebsockets 4.1.6 is not used:
/// its raw connections begin TLS before they have a socket and so always fail, it compares certificates with no more than
/// 127 characters of the host, and takes the part of a host before the first colon of an IPv6 address.
final class ClientStream {
  private enum Phase {
    case idle
    case connecting
    case handshaking
    case open
    case closed
  }

  let loop: EventLoop
  private let host: String
  private var addresses: ArraySlice<SocketAddress>
  private let tls: TLSContext?
  weak var owner: (any ClientStreamOwner)?

  private var phase = Phase.idle
  private var descriptor: Int32 = -1
  private var watch: EventLoop.Watch?
  private var session: TLSSession?
  private var attemptTimer: EventLoop.Timer?
  private var outgoing: [UInt8] = []
  private var outgoingStart = 0
  private var hasWriteFailed = false
  private var isReading = false
  private var isPaused = false

  /// How long one address is tried when others are left.
  private static let attemptTimeout = Duration.seconds(2)

  /// - Parameters:
  ///   - addresses: Tried one after the other until one answers; at least one.
  ///   - tls: Nil for a connection in the clear.
  init(_ loop: EventLoop, host: String, addresses: [SocketAddress], tls: TLSContext?, owner: any ClientStreamOwner) {
    self.loop = loop
    self.host = host
    self.addresses = addresses[...]
    self.tls = tls
    self.owner = owner
  }

  /// Bytes that the system has not taken yet.
  var unsentByteCount: Int { outgoing.count - outgoingStart }

  /// Begins to connect. The owner hears of the result later, never within the call.
  func start() {
    loop.atEndOfTurn { [self] in
      guard phase == .idle else { return }
      phase = .connecting
      tryNextAddress(after: WebClientError(.connect, "no address of \(host) is known"))
    }
  }

  /// Ends the connection by a reset: the server is to stop what it does, not to think that only our side has ended.
  func abort() {
    if descriptor >= 0 {
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }
    close()
  }

  /// Ends the connection; the owner hears nothing more.
  func close() {
    guard phase != .closed else { return }
    if phase == .open, !hasWriteFailed { session?.sayGoodbye() }
    phase = .closed
    dropSocket()
    outgoing = []
    outgoingStart = 0
  }

  private func dropSocket() {
    attemptTimer?.cancel()
    attemptTimer = nil
    session = nil
    watch?.cancel()
    watch = nil
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  private func end(_ error: WebClientError?) {
    guard phase != .closed else { return }
    close()
    owner?.streamEnded(error)
  }

  // MARK: - Connecting

  private func tryNextAddress(after failure: WebClientError) {
    dropSocket()
    var failure = failure
    while let address = addresses.popFirst() {
      do throws(WebClientError) {
        try begin(address)
        return
      } catch {
        failure = error
      }
    }
    end(failure)
  }

  private func begin(_ address: SocketAddress) throws(WebClientError) {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(address.family, kind, 0)
    guard socket >= 0 else { throw failure(address, errno) }
    var isOn: Int32 = 1
    // A request is written whole, so waiting for more to send would only delay it.
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    guard address.connect(socket) == 0 || errno == EINPROGRESS else {
      let code = errno
      Glibc.close(socket)
      throw failure(address, code)
    }
    descriptor = socket
    do {
      // A duplicate is watched: it may be given up, and its number be somebody else's, before the end is noticed here.
      watch = try loop.watch(
        fileDescriptor: socket, onReadable: { [self] in readable(address) }, onWritable: { [self] in writable(address) }
      )
    } catch {
      dropSocket()
      throw WebClientError(.connect, "could not connect to \(address): \(error)")
    }
    watch?.requestWritable()
    guard !addresses.isEmpty else { return }
    attemptTimer = loop.schedule(after: ClientStream.attemptTimeout) { [weak self] in
      guard let self, phase == .connecting else { return }
      tryNextAddress(after: failure(address, ETIMEDOUT))
    }
  }

  private func failure(_ address: SocketAddress, _ code: Int32) -> WebClientError {
    WebClientError(.connect, "could not connect to \(host) (\(address)): \(String(cString: strerror(code)))")
  }

  /// Looks whether the connection stands.
  private func checkConnected(_ address: SocketAddress) {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    var peer = sockaddr_storage()
    var peerLength = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isConnected = withUnsafeMutablePointer(to: &peer) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &peerLength) == 0 }
    }
    guard code == 0, isConnected else {
      // Told by the loop of an event, the attempt has either succeeded or failed.
      tryNextAddress(after: failure(address, code == 0 ? ECONNREFUSED : code))
      return
    }
    attemptTimer?.cancel()
    attemptTimer = nil
    guard let tls else {
      opened()
      return
    }
    do throws(WebClientError) {
      session = try tls.makeSession(host: host, descriptor: descriptor)
    } catch {
      end(error)
      return
    }
    phase = .handshaking
    shakeHands()
  }

  private func shakeHands() {
    guard let session else { return }
    switch session.handshake() {
    case .done: opened()
    case .needsReadable: break
    case .needsWritable: watch?.requestWritable()
    case .ended: end(WebClientError(.connect, "\(host) ended the connection during the TLS handshake"))
    case .failed(let error):
      end(error.code == .tls ? error : WebClientError(.connect, error.reason + " during the TLS handshake"))
    }
  }

  private func opened() {
    phase = .open
    owner?.streamOpened()
  }

  // MARK: - Events

  private func writable(_ address: SocketAddress) {
    switch phase {
    case .connecting: checkConnected(address)
    case .handshaking: shakeHands()
    case .open:
      flush()
      // TLS may have waited for this in order to read.
      if session != nil { receive() }
    case .idle, .closed: break
    }
  }

  private func readable(_ address: SocketAddress) {
    switch phase {
    case .connecting: checkConnected(address)
    case .handshaking: shakeHands()
    case .open:
      if isPaused {
        // Nobody asked for this: the descriptor is broken, and this is its last call.
        end(WebClientError(.connectionLost, "the connection to \(host) was lost"))
      } else {
        receive()
        if session != nil, unsentByteCount > 0 { flush() }
      }
    case .idle, .closed: break
    }
  }

  // MARK: - Reading

  /// Stops or goes on with reading; what the server sends meanwhile waits in the system, and then at the server.
  func setPaused(_ paused: Bool) {
    guard phase == .open, isPaused != paused else { return }
    isPaused = paused
    watch?.setReadable(!paused)
    // TLS may hold bytes of which the descriptor knows nothing.
    if !paused { loop.atEndOfTurn { [self] in receive() } }
  }

  /// Reads all there is: the call may be the last one for this descriptor.
  private func receive() {
    guard !isReading else { return }
    isReading = true
    defer { isReading = false }
    while phase == .open, !isPaused {
      switch receiveOnce() {
      case .done(0): return end(nil)
      case .done(let count):
        let bytes = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<count])
        owner?.streamReceived(UnsafeBufferPointer(bytes.assumingMemoryBound(to: UInt8.self)))
      case .needsReadable: return
      case .needsWritable:
        watch?.requestWritable()
        return
      case .ended: return end(nil)
      case .failed(let error): return end(error)
      }
    }
  }

  private func receiveOnce() -> TLSSession.Outcome {
    if let session { return session.read(into: loop.scratch) }
    while true {
      let count = recv(descriptor, loop.scratch.baseAddress, loop.scratch.count, 0)
      if count >= 0 { return .done(count) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .needsReadable
      default: return .failed(lost(errno))
      }
    }
  }

  private func lost(_ code: Int32) -> WebClientError {
    WebClientError(.connectionLost, "the connection to \(host) was lost: \(String(cString: strerror(code)))")
  }

  /// Whether a connection that should be silent has ended or says something.
  var hasNews: Bool {
    guard phase == .open else { return true }
    var byte: UInt8 = 0
    let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return count >= 0 || errno != EAGAIN
  }

  // MARK: - Writing

  /// Sends bytes after those sent before; what the system does not take is kept.
  func send(_ bytes: [UInt8]) {
    guard phase == .open, !hasWriteFailed else { return }
    if outgoing.isEmpty {
      outgoing = bytes
    } else {
      outgoing.append(contentsOf: bytes)
    }
    flush()
  }

  private func flush() {
    while phase == .open, outgoingStart < outgoing.count, !hasWriteFailed {
      switch sendOnce() {
      case .done(let count): outgoingStart += count
      case .needsWritable:
        watch?.requestWritable()
        return
      case .needsReadable: return
      case .ended, .failed:
        // The server may have answered before it stopped listening: what is there to be read decides.
        hasWriteFailed = true
        loop.atEndOfTurn { [self] in afterFailedWrite() }
      }
    }
    outgoing = []
    outgoingStart = 0
  }

  private func afterFailedWrite() {
    receive()
    end(WebClientError(.connectionLost, "the connection to \(host) was lost while sending"))
  }

  private func sendOnce() -> TLSSession.Outcome {
    outgoing.withUnsafeBytes { bytes in
      let left = UnsafeRawBufferPointer(rebasing: bytes[outgoingStart...])
      if let session { return session.write(left) }
      while true {
        let count = Glibc.send(descriptor, left.baseAddress, left.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .done(count) }
        switch errno {
        case EINTR: continue
        case EAGAIN: return .needsWritable
        default: return .failed(lost(errno))
        }
      }
    }
  }
}
