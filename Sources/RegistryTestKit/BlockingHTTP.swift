import Glibc
public import PeerstackFormat

/// An HTTP/1.1 client that waits, for threads of tests. One connection, kept alive, made again when it is gone.
public final class BlockingHTTP {
  /// An answer.
  public struct Answer: Sendable {
    /// The status.
    public let status: Int
    /// The head as it came.
    public let head: String
    /// The body.
    public let body: [UInt8]

    /// The body as JSON.
    public var json: JSONObject { (try? JSONValue.parseLenient(body))?.object ?? [:] }
    /// The problem code of an error.
    public var code: String? { json["code"]?.string }
  }

  /// There was no whole answer: what was asked may have happened or not.
  public struct NoAnswer: Error {}

  private let port: UInt16
  private var descriptor: Int32 = -1

  /// A client of a server on the loopback address.
  public init(port: UInt16) { self.port = port }

  deinit { disconnect() }

  /// Sends a GET.
  public func get(_ target: String) throws -> Answer {
    try exchange("GET \(target) HTTP/1.1\r\nHost: test\r\n\r\n", [])
  }

  /// Sends a POST with a JSON body.
  public func post(_ target: String, _ body: [UInt8]) throws -> Answer {
    try exchange(
      "POST \(target) HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n",
      body)
  }

  private func exchange(_ head: String, _ body: [UInt8]) throws -> Answer {
    if descriptor < 0 { try connect() }
    do {
      try write(Array(head.utf8) + body)
      return try readAnswer()
    } catch {
      disconnect()
      throw error
    }
  }

  private func connect() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else {
      disconnect()
      throw NoAnswer()
    }
  }

  private func disconnect() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  private func write(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { throw NoAnswer() }
      rest = rest.dropFirst(count)
    }
  }

  private func readAnswer() throws -> Answer {
    var bytes: [UInt8] = []
    var headEnd: Int?
    var length = 0
    var head = ""
    while true {
      if headEnd == nil, let end = Self.endOfHead(bytes) {
        headEnd = end
        head = String(decoding: bytes[..<end], as: UTF8.self)
        length = Self.contentLength(head)
      }
      if let headEnd, bytes.count >= headEnd + length {
        guard let status = Int(head.dropFirst(9).prefix(3)) else { throw NoAnswer() }
        if head.lowercased().contains("\r\nconnection: close\r\n") { disconnect() }
        return Answer(status: status, head: head, body: Array(bytes[headEnd..<headEnd + length]))
      }
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { throw NoAnswer() }
      bytes.append(contentsOf: buffer[..<count])
    }
  }

  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for index in 0...(bytes.count - 4) where bytes[index..<index + 4].elementsEqual([13, 10, 13, 10]) {
      return index + 4
    }
    return nil
  }

  private static func contentLength(_ head: String) -> Int {
    for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
      return Int(line.dropFirst(15).drop { $0 == " " }) ?? 0
    }
    return 0
  }
}
