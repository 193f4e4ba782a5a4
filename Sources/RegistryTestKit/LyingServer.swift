import Foundation
public import RegistryClient
import Synchronization

/// An HTTP server in front of a ``TestRegistrar``, whose HTTP itself may lie. One thread a connection.
public final class LyingServer: Sendable {
  /// What goes over the wire in place of an answer.
  public enum Wire: Sendable {
    /// The registrar's answer, as HTTP has it; the connection stays.
    case honest
    /// These bytes, and nothing more while the client listens.
    case bytes([UInt8])
    /// These bytes, and the end of the connection.
    case lastBytes([UInt8])
    /// The head, then the piece again and again until the client has gone; between pieces, a pause in microseconds.
    case endless(head: [UInt8], piece: [UInt8], pause: UInt32)
  }

  /// Decides what goes over the wire.
  public typealias Lie = @Sendable (RegistryRequest, RegistryAnswer) -> Wire

  /// Why it is not there.
  public struct Failure: Error {}

  /// The port on the loopback address.
  public let port: UInt16

  private struct State {
    var lie: Lie?
    var bytesSent = 0
    var connections = 0
    var acceptedCount = 0
    var targets: [String] = []
  }

  private let registrar: TestRegistrar
  private let listener: Int32
  private let state = Mutex(State())

  /// Starts it, in front of a registrar.
  public init(_ registrar: TestRegistrar) throws {
    self.registrar = registrar
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (descriptor, size) = (listener, length)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard bind(descriptor, address, size) == 0, listen(descriptor, 64) == 0 else { return Int32(-1) }
        return getsockname(descriptor, address, &length)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard status == 0 else {
      close(listener)
      throw Failure()
    }
    let thread = Thread { [weak self] in Self.accept(on: descriptor) { self } }
    thread.start()
  }

  deinit {
    // Wakes the thread that accepts, which closes it.
    shutdown(listener, Int32(SHUT_RDWR))
  }

  /// Lies from now on; nil: is honest again.
  public func lie(_ lie: Lie?) { state.withLock { $0.lie = lie } }

  /// Bytes that went out.
  public var bytesSent: Int { state.withLock { $0.bytesSent } }
  /// Connections that are open.
  public var connectionCount: Int { state.withLock { $0.connections } }
  /// Connections that were ever made.
  public var acceptedCount: Int { state.withLock { $0.acceptedCount } }
  /// The targets that were asked for.
  public var targets: [String] { state.withLock { $0.targets } }

  // MARK: Connections

  private static func accept(on listener: Int32, server: () -> LyingServer?) {
    while true {
      let descriptor = Glibc.accept(listener, nil, nil)
      guard descriptor >= 0, let server = server() else { break }
      server.state.withLock { state in
        state.connections += 1
        state.acceptedCount += 1
      }
      let thread = Thread {
        while server.exchange(descriptor) {}
        close(descriptor)
        server.state.withLock { $0.connections -= 1 }
      }
      thread.start()
    }
    close(listener)
  }

  /// Whether another request may follow.
  private func exchange(_ descriptor: Int32) -> Bool {
    guard let request = Self.request(descriptor) else { return false }
    let lie = state.withLock { state in
      state.targets.append(request.target)
      return state.lie
    }
    guard let answer = answer(to: request) else { return false }
    switch lie?(request, answer) ?? .honest {
    case .honest: return send(Self.http(answer), descriptor)
    case .lastBytes(let bytes):
      _ = send(bytes, descriptor)
      return false
    case .bytes(let bytes):
      if send(bytes, descriptor) { Self.waitForEnd(descriptor) }
      return false
    case .endless(let head, let piece, let pause):
      guard send(head, descriptor) else { return false }
      while send(piece, descriptor) { if pause > 0 { usleep(pause) } }
      return false
    }
  }

  private func answer(to request: RegistryRequest) -> RegistryAnswer? {
    let box = Box()
    let done = DispatchSemaphore(value: 0)
    let registrar = registrar
    Task {
      let given = try? await registrar.answer(to: request)
      box.value.withLock { $0 = given }
      done.signal()
    }
    done.wait()
    return box.value.withLock { $0 }
  }

  private final class Box: Sendable {
    let value = Mutex<RegistryAnswer?>(nil)
  }

  private func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      state.withLock { $0.bytesSent += count }
      rest = rest.dropFirst(count)
    }
    return true
  }

  // MARK: HTTP

  /// An answer as it should be.
  public static func http(_ answer: RegistryAnswer) -> [UInt8] {
    let headers = answer.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
    let length = answer.status == 304 ? "" : "Content-Length: \(answer.body.count)\r\n"
    return Array("HTTP/1.1 \(answer.status) X\r\nContent-Type: application/json\r\n\(headers)\(length)\r\n".utf8)
      + answer.body
  }

  private static func request(_ descriptor: Int32) -> RegistryRequest? {
    var bytes: [UInt8] = []
    while true {
      if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n").map(String.init)
        let first = (lines.first ?? "").split(separator: " ").map(String.init)
        let headers = lines.dropFirst().map { line in
          let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
          return (name: parts[0], value: String((parts.last ?? "").drop { $0 == " " }))
        }
        let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
        guard first.count == 3, let method = RegistryRequest.Method(rawValue: first[0]) else { return nil }
        if bytes.count >= end + length {
          return RegistryRequest(
            method, first[1], body: method == .post ? Array(bytes[end..<end + length]) : nil, headers: headers,
            maxAnswerBytes: .max, timeout: .zero)
        }
      }
      guard let more = receive(descriptor) else { return nil }
      bytes += more
    }
  }

  private static func waitForEnd(_ descriptor: Int32) {
    while receive(descriptor) != nil {}
  }

  private static func receive(_ descriptor: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? Array(buffer[..<count]) : nil
  }
}
