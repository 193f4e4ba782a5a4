import COpenSSL
import Glibc
import Synchronization

@testable import WebTransport

/// A server that does to its clients whatever a test says: blocking sockets, a thread for each connection.
final class ClientTestServer: Sendable {
  let port: UInt16
  private let listener: Int32
  private let state = Mutex(State())
  private let tls: ClientTestTLS?
  private let script: @Sendable (ClientTestConnection) -> Void

  private struct State {
    var isStopping = false
    var count = 0
    var open: Set<Int32> = []
  }

  /// Runs `script` for each connection; the connection is closed when it returns.
  init(tls: ClientTestTLS? = nil, _ script: @escaping @Sendable (ClientTestConnection) -> Void) throws {
    // Writing to a client that has gone is part of the tests.
    signal(SIGPIPE, SIG_IGN)
    self.tls = tls
    self.script = script
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let code = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, length) == 0 && listen(listener, 256) == 0
          && getsockname(listener, pointer, &length) == 0
      }
    }
    guard code else { throw TransportError("listen", code: errno) }
    port = UInt16(bigEndian: address.sin_port)
    startThread { [self] in accept() }
  }

  /// Connections that were accepted so far.
  var connectionCount: Int { state.withLock { $0.count } }

  /// Connections whose script runs.
  var openCount: Int { state.withLock { $0.open.count } }

  /// Ends everything; scripts that wait for bytes see the end of the connection.
  func stop() {
    state.withLock { state in
      state.isStopping = true
      for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
    shutdown(listener, Int32(SHUT_RDWR))
  }

  deinit { close(listener) }

  private func accept() {
    while true {
      let descriptor = Glibc.accept(listener, nil, nil)
      guard descriptor >= 0 else { break }
      let number = state.withLock { state -> Int? in
        guard !state.isStopping else { return nil }
        state.count += 1
        state.open.insert(descriptor)
        return state.count
      }
      guard let number else {
        close(descriptor)
        continue
      }
      startThread { [self] in
        if let connection = ClientTestConnection(descriptor, number: number, tls: tls) { script(connection) }
        state.withLock { state in
          state.open.remove(descriptor)
          close(descriptor)
        }
      }
    }
  }
}

/// A connection as its script sees it.
///
/// `@unchecked Sendable`: used by the script's thread alone.
final class ClientTestConnection: @unchecked Sendable {
  private let descriptor: Int32
  /// 1 for the first connection of the server.
  let number: Int
  private var buffer: [UInt8] = []
  private var session: OpaquePointer?

  /// Nil when the client does not agree on TLS.
  init?(_ descriptor: Int32, number: Int, tls: ClientTestTLS?) {
    self.descriptor = descriptor
    self.number = number
    if let tls {
      session = SSL_new(tls.context)
      SSL_set_fd(session, descriptor)
      guard SSL_accept(session) == 1 else { return nil }
    }
    var isOn: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { if let session { SSL_free(session) } }

  /// The name that the client has asked for under TLS.
  var serverName: String? {
    SSL_get_servername(session, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
  }

  /// Ends TLS in order. Without this, its end is that of a connection that somebody has cut.
  func sayGoodbye() { SSL_shutdown(session) }

  /// More bytes; false at the end.
  @discardableResult
  private func fill() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count =
      session == nil ? recv(descriptor, &bytes, bytes.count, 0) : Int(SSL_read(session, &bytes, Int32(bytes.count)))
    guard count > 0 else { return false }
    buffer.append(contentsOf: bytes[..<count])
    return true
  }

  /// The next request, head and body as sent; nil at the end of the connection.
  func readRequest() -> String? {
    while true {
      let text = String(decoding: buffer, as: UTF8.self)
      if let head = text.components(before: "\r\n\r\n") {
        let length = head.lowercased().components(after: "content-length: ").flatMap { Int($0.prefix { $0.isNumber }) }
        let total = head.utf8.count + 4 + (length ?? 0)
        if buffer.count >= total {
          let request = String(decoding: buffer[..<total], as: UTF8.self)
          buffer.removeFirst(total)
          return request
        }
      }
      guard fill() else { return nil }
    }
  }

  /// Exactly so many bytes; nil when the connection ends before.
  func read(_ count: Int) -> [UInt8]? {
    while buffer.count < count { guard fill() else { return nil } }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }

  /// Waits until the client ends the connection.
  func waitForEnd() { while fill() {} }

  /// Sends all; false when the client has gone.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes { all in
        let left = UnsafeRawBufferPointer(rebasing: all[start...])
        guard let session else {
          return Glibc.send(descriptor, left.baseAddress, left.count, Int32(MSG_NOSIGNAL))
        }
        return Int(SSL_write(session, left.baseAddress, Int32(left.count)))
      }
      guard count > 0 else { return false }
      start += count
    }
    return true
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// Makes the end of this connection a reset.
  func resetAtEnd() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }
}

/// The certificate and key of a server.
///
/// `@unchecked Sendable`: OpenSSL locks what the sessions of a context share.
final class ClientTestTLS: @unchecked Sendable {
  let context: OpaquePointer

  /// With `<name>.pem` and `<name>.key` of a folder.
  init(_ folder: String, _ name: String) throws {
    guard let context = SSL_CTX_new(TLS_server_method()),
      SSL_CTX_use_certificate_chain_file(context, "\(folder)/\(name).pem") == 1,
      SSL_CTX_use_PrivateKey_file(context, "\(folder)/\(name).key", SSL_FILETYPE_PEM) == 1
    else { throw TransportError("load the certificate \(name)") }
    self.context = context
  }

  deinit { SSL_CTX_free(context) }
}

extension String {
  /// What stands before the first `separator`; nil without one.
  func components(before separator: String) -> String? {
    let bytes = Array(utf8)
    let wanted = Array(separator.utf8)
    guard let index = bytes.firstIndex(of: wanted) else { return nil }
    return String(decoding: bytes[..<index], as: UTF8.self)
  }

  /// What stands behind the first `separator`; nil without one.
  func components(after separator: String) -> String? {
    let bytes = Array(utf8)
    let wanted = Array(separator.utf8)
    guard let index = bytes.firstIndex(of: wanted) else { return nil }
    return String(decoding: bytes[(index + wanted.count)...], as: UTF8.self)
  }
}

extension [UInt8] {
  fileprivate func firstIndex(of wanted: [UInt8]) -> Int? {
    guard count >= wanted.count else { return nil }
    return (0...count - wanted.count).first { self[$0..<$0 + wanted.count].elementsEqual(wanted) }
  }
}

/// Runs `work` on a thread of its own, where it may block.
func startThread(_ work: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }
  var thread = pthread_t()
  let argument = Unmanaged.passRetained(Box(work)).toOpaque()
  let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
    if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().work() }
    return nil
  }
  if pthread_create(&thread, nil, body, argument) == 0 { pthread_detach(thread) }
}
