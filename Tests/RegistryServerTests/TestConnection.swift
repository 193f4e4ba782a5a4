import Dispatch
import Glibc
import PeerstackFormat

/// An answer as it came.
struct TestResponse: Sendable {
  var status = 0
  /// Names in lower case.
  var fields: [String: String] = [:]
  var body: [UInt8] = []

  var text: String { String(decoding: body, as: UTF8.self) }
  var json: JSONValue? { try? JSONValue.parseStrict(body, maxDepth: 64) }
  var code: String? { self["code"]?.string }
  subscript(name: String) -> JSONValue? { json?.object?[name] }
}

/// A connection of plain blocking sockets, which sends exactly the bytes it is told to. Used on one thread at a time.
final class TestConnection: @unchecked Sendable {
  /// Longer than anything takes on a busy machine.
  static let patienceSeconds = 60

  private let descriptor: Int32
  private var buffer: [UInt8] = []

  /// Runs `body` with a new connection on a thread that may block.
  static func with<Result: Sendable>(
    port: UInt16, _ body: @escaping @Sendable (TestConnection) throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      threads.async {
        continuation.resume(
          with: Swift.Result { try body(TestConnection(port: port)) })
      }
    }
  }

  /// Runs `body` on a thread that may block.
  func run<Result: Sendable>(_ body: @escaping @Sendable (TestConnection) throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      Self.threads.async { continuation.resume(with: Swift.Result { try body(self) }) }
    }
  }

  private static let threads = DispatchQueue(label: "clients", attributes: .concurrent)

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw TestFailure("connect: \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  // MARK: Sending

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw TestFailure("send: \(String(cString: strerror(errno)))") }
      start += count
    }
  }

  /// A request; without a body no length is declared.
  func send(_ method: String, _ path: String, _ fields: [String] = [], _ body: [UInt8]? = nil) throws {
    try send(Self.request(method, path, fields, body))
  }

  static func request(_ method: String, _ path: String, _ fields: [String] = [], _ body: [UInt8]? = nil) -> [UInt8] {
    let length = body.map { ["Content-Length: \($0.count)"] } ?? []
    let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + fields + length + ["", ""]
    return Array(lines.joined(separator: "\r\n").utf8) + (body ?? [])
  }

  // MARK: Receiving

  private func receive() throws -> Bool {
    var portion = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &portion, portion.count, 0)
    if count > 0 { buffer += portion[..<count] }
    if count < 0 && errno == EAGAIN { throw TestFailure("nothing came in \(Self.patienceSeconds) s") }
    if count < 0 && errno != ECONNRESET { throw TestFailure("receive: \(String(cString: strerror(errno)))") }
    return count > 0
  }

  /// Exactly `count` bytes.
  func bytes(_ count: Int) throws -> [UInt8] {
    while buffer.count < count {
      guard try receive() else { throw TestFailure("closed after \(buffer.count) of \(count) bytes") }
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }

  /// Everything up to and including the empty line that ends a head.
  func head() throws -> String {
    while true {
      let text = String(decoding: buffer, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        return String(decoding: try bytes(text[..<end.upperBound].utf8.count), as: UTF8.self)
      }
      guard try receive() else { throw TestFailure("closed within a head: \(text)") }
    }
  }

  /// A whole response.
  func response(isHead: Bool = false) throws -> TestResponse {
    let lines = try head().split(separator: "\r\n")
    var response = TestResponse()
    response.status = Int(lines[0].split(separator: " ")[1]) ?? 0
    for line in lines.dropFirst() {
      let parts = line.split(separator: ": ", maxSplits: 1)
      response.fields[parts[0].lowercased()] = parts.count > 1 ? String(parts[1]) : ""
    }
    let length = Int(response.fields["content-length"] ?? "0") ?? 0
    if !isHead { response.body = try bytes(length) }
    return response
  }

  /// Whether the connection ends without a further byte.
  func isAtEnd() throws -> Bool {
    guard buffer.isEmpty else { return false }
    return try !receive()
  }
}

extension String {
  fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
