import Glibc

/// A connection to the loopback address that sends ready-made requests and looks at no more of an answer than it must:
/// the client shares the machine with what is measured. It is never closed: the process ends after its row.
struct RawConnection: Sendable {
  private static let lengthField = Array("content-length: ".utf8)
  private static let endOfHead = Array("\r\n\r\n".utf8)

  /// Who gets nothing for so long gives up.
  private static let patienceSeconds = 60

  let descriptor: Int32
  private var buffer: [UInt8]

  /// Connects.
  ///
  /// - Parameter answerBytes: the longest answer that `status` can read.
  init(port: UInt16, answerBytes: Int = 64 << 10) throws {
    buffer = [UInt8](repeating: 0, count: answerBytes)
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let (descriptor, size) = (descriptor, socklen_t(MemoryLayout<sockaddr_in>.size))
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
    }
    guard status == 0 else { throw Trouble("cannot connect to port \(port): \(String(cString: strerror(errno)))") }
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  /// The status of the answer, once it has come whole; nil if it does not.
  mutating func status(of request: [UInt8]) -> Int? { send(request) ? status() : nil }

  /// Sends all of it at once, or says no.
  func send(_ bytes: [UInt8]) -> Bool {
    Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }

  /// What comes next, once something does.
  func receive() throws -> [UInt8] {
    let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
      count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
    }
    guard !bytes.isEmpty else { throw Trouble("a connection is closed, or nothing comes any more") }
    return bytes
  }

  /// The status of the answer to what was sent, once it has come whole; nil if it does not.
  mutating func status() -> Int? {
    var count = 0
    while count < buffer.count {
      let room = buffer.count - count
      let received = buffer.withUnsafeMutableBytes { bytes in
        bytes.baseAddress.map { recv(descriptor, $0 + count, room, 0) } ?? 0
      }
      guard received > 0 else { return nil }
      count += received
      guard let end = Self.find(Self.endOfHead, in: buffer, upTo: count) else { continue }
      guard let field = Self.find(Self.lengthField, in: buffer, upTo: end) else { return nil }
      let length = Self.decimal(buffer[field...])
      if count >= end + length { return Self.decimal(buffer[9...]) }
    }
    return nil
  }

  /// The place after the first `part`.
  private static func find(_ part: [UInt8], in bytes: [UInt8], upTo count: Int) -> Int? {
    guard count >= part.count else { return nil }
    return bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      return (0...count - part.count).first { memcmp(base + $0, part, part.count) == 0 }.map { $0 + part.count }
    }
  }

  private static func decimal(_ bytes: ArraySlice<UInt8>) -> Int {
    var number = 0
    for byte in bytes {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
      number = number * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return number
  }
}
