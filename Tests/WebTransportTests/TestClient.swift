import Glibc

/// A client of plain blocking sockets, which sends exactly the bytes it is told to.
final class TestClient {
  struct Response: Equatable {
    var status = 0
    var fields: [String: String] = [:]
    var body: [UInt8] = []
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Longer than anything takes on a busy machine.
  static let patienceSeconds = 30

  let descriptor: Int32
  private var buffer: [UInt8] = []
  private var isOpen = true

  /// Connects; to 127.0.0.1 unless another number is given.
  init(port: UInt16, address number: UInt32 = 0x7F00_0001, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
    var patience = timeval(tv_sec: TestClient.patienceSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = number.bigEndian
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
  }

  deinit { close() }

  func close() {
    if isOpen { Glibc.close(descriptor) }
    isOpen = false
  }

  /// Ends the connection with a reset.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure(description: "send: \(String(cString: strerror(errno)))") }
      start += count
    }
  }

  /// One more portion; false at the end of the connection, however it came.
  func receive() throws -> Bool {
    var portion = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &portion, portion.count, 0)
    if count > 0 { buffer += portion[..<count] }
    if count < 0 && errno == EAGAIN { throw Failure(description: "nothing came in \(TestClient.patienceSeconds) s") }
    return count > 0
  }

  /// Exactly `count` bytes.
  func bytes(_ count: Int) throws -> [UInt8] {
    while buffer.count < count {
      guard try receive() else { throw Failure(description: "closed after \(buffer.count) of \(count) bytes") }
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }

  /// Everything up to and including the empty line that ends a head.
  func head() throws -> String {
    let end = Array("\r\n\r\n".utf8)
    var searched = 0
    while true {
      while searched + 4 <= buffer.count {
        if Array(buffer[searched..<searched + 4]) == end {
          return String(decoding: try bytes(searched + 4), as: UTF8.self)
        }
        searched += 1
      }
      guard try receive() else { throw Failure(description: "closed within a head: \(buffer)") }
    }
  }

  /// A whole response.
  func response(isHead: Bool = false) throws -> Response {
    let lines = try head().split(separator: "\r\n")
    var response = Response()
    response.status = Int(lines[0].split(separator: " ")[1]) ?? 0
    for line in lines.dropFirst() {
      let parts = line.split(separator: ": ", maxSplits: 1)
      response.fields[String(parts[0])] = String(parts[1])
    }
    let length = Int(response.fields["content-length"] ?? "0") ?? 0
    if !isHead { response.body = try bytes(length) }
    return response
  }

  /// Waits for the end of the connection; the bytes that came before it.
  func rest() throws -> [UInt8] {
    while try receive() {}
    defer { buffer = [] }
    return buffer
  }
}
