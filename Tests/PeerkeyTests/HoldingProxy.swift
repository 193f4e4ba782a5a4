import Foundation
import Glibc

/// Stands between a client and a registrar, and holds what is sent to `/records` when it is told to.
///
/// `@unchecked Sendable`: everything that changes is behind the condition's lock.
final class HoldingProxy: @unchecked Sendable {
  private let condition = NSCondition()
  private let listener: Int32
  private let target: UInt16
  let port: UInt16
  private var holds = false
  private var forwards = false
  private var held = false
  /// Clients that get no more answers.
  private var muted: Set<Int32> = []
  private var meanwhile: (@Sendable () -> Void)?
  /// What the registrar says is changed on the way.
  private var forgery: (from: [UInt8], to: [UInt8])?

  struct Failure: Error {}

  var url: String { "http://127.0.0.1:\(port)" }

  init(to target: UInt16) throws {
    self.target = target
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    guard isListening else { throw Failure() }
    port = UInt16(bigEndian: address.sin_port)
    self.listener = listener
    Thread.detachNewThread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        Thread.detachNewThread { self.serve(client) }
      }
    }
  }

  deinit { close(listener) }

  /// From now on what goes to `/records` is held: after it was forwarded, without its answer, or before.
  func hold(forward: Bool) {
    condition.withLock {
      holds = true
      forwards = forward
    }
  }

  /// Instead of holding for ever, does something before a record is forwarded, once.
  func delayForwarding(_ body: @escaping @Sendable () -> Void) {
    condition.withLock { meanwhile = body }
  }

  /// From now on one text in place of another, as long, in what the registrar says in one go.
  func forge(_ from: String, as to: String) {
    precondition(from.utf8.count == to.utf8.count, "frames and bodies have a length")
    condition.withLock { forgery = (Array(from.utf8), Array(to.utf8)) }
  }

  func waitUntilHeld() {
    condition.withLock { while !held { condition.wait() } }
  }

  private func serve(_ client: Int32) {
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address(port: target)
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { return }
    Thread.detachNewThread { [self] in
      Self.copy(from: server, to: client, edit: forged) { _ in !isMuted(client) }
    }
    Self.copy(from: client, to: server) { bytes in self.admit(bytes, of: client) }
    shutdown(server, Int32(SHUT_WR))
  }

  private func forged(_ bytes: inout [UInt8]) {
    guard let forgery = condition.withLock({ forgery }) else { return }
    while let place = bytes.firstRange(of: forgery.from) { bytes.replaceSubrange(place, with: forgery.to) }
  }

  private func isMuted(_ client: Int32) -> Bool { condition.withLock { muted.contains(client) } }

  /// Whether bytes of the client go on.
  private func admit(_ bytes: ArraySlice<UInt8>, of client: Int32) -> Bool {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.contains("/records HTTP/1.1") else { return true }
    let work = condition.withLock { () -> (@Sendable () -> Void)? in
      defer { meanwhile = nil }
      return meanwhile
    }
    if let work {
      work()
      return true
    }
    return condition.withLock {
      guard holds else { return true }
      muted.insert(client)
      held = true
      condition.broadcast()
      return forwards
    }
  }

  private static func copy(
    from source: Int32, to target: Int32, edit: (inout [UInt8]) -> Void = { _ in },
    admit: (ArraySlice<UInt8>) -> Bool
  ) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(source, &buffer, buffer.count)
      guard count > 0 else { break }
      edit(&buffer)
      guard admit(buffer[..<count]) else { continue }
      var sent = 0
      while sent < count {
        let written = buffer.withUnsafeBytes {
          send(target, $0.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
        }
        guard written > 0 else { return }
        sent += written
      }
    }
  }

  private static func address(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    return address
  }
}
