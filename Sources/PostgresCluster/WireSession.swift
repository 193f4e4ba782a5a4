import Glibc

/// A minimal connection to a private cluster over its socket: says whether it answers, and runs simple statements.
///
/// The server is one of ours, which asks for no password; still every length is checked.
final class WireSession {
  enum Answer {
    /// It takes connections.
    case ready(WireSession)
    /// It is there, but not yet (or no longer) taking connections.
    case notYet
    /// Nobody answers.
    case silent
  }

  /// Longer messages are not from a server that answers what we ask.
  private static let maximumMessageBytes = 1 << 20
  private static let answerSeconds = 10
  private static let protocolVersion: Int32 = 196_608

  private let descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Connects and waits until the server is ready for statements.
  static func open(socketDirectory: String, user: String, database: String) -> Answer {
    guard let descriptor = connectedSocket("\(socketDirectory)/.s.PGSQL.5432") else { return .silent }
    let session = WireSession(descriptor: descriptor)
    var body: [UInt8] = []
    for text in ["user", user, "database", database] { body += Array(text.utf8) + [0] }
    guard session.send(type: nil, bigEndian(protocolVersion) + body + [0]) else { return .notYet }
    guard let outcome = session.readUntilReady(), outcome.error == nil else { return .notYet }
    return .ready(session)
  }

  /// Runs a statement; the number of rows it gave.
  func run(_ sql: String) throws(ClusterError) -> Int {
    guard send(type: UInt8(ascii: "Q"), Array(sql.utf8) + [0]), let outcome = readUntilReady() else {
      throw ClusterError("the database went away")
    }
    if let error = outcome.error { throw ClusterError("the database refused to set itself up: \(error)") }
    return outcome.rowCount
  }

  private static func connectedSocket(_ path: String) -> Int32? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count < capacity else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var limit = timeval(tv_sec: answerSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if status == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  private static func bigEndian(_ number: Int32) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private func send(type: UInt8?, _ body: [UInt8]) -> Bool {
    let message = (type.map { [$0] } ?? []) + Self.bigEndian(Int32(body.count + 4)) + body
    var sent = 0
    while sent < message.count {
      let count = message[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Reads messages until `ReadyForQuery`; nil if the connection ends before.
  private func readUntilReady() -> (rowCount: Int, error: String?)? {
    var rowCount = 0
    var error: String?
    while let head = read(5) {
      let length = head[1...].reduce(0) { $0 << 8 | Int($1) }
      guard (4...Self.maximumMessageBytes).contains(length), let body = read(length - 4) else { return nil }
      switch head[0] {
      case UInt8(ascii: "Z"): return (rowCount, error)
      case UInt8(ascii: "D"): rowCount += 1
      case UInt8(ascii: "E"): error = error ?? Self.message(of: body)
      // Anything but "authentication succeeded" is a question that we do not answer.
      case UInt8(ascii: "R"): if body != [0, 0, 0, 0] { return nil }
      default: break
      }
    }
    return nil
  }

  /// The field `M` of an error.
  private static func message(of body: [UInt8]) -> String {
    let fields = body.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return fields.first { $0.hasPrefix("M") }.map { String($0.dropFirst()) } ?? "no reason given"
  }

  private func read(_ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: count)
    while bytes.count < count {
      let received = recv(descriptor, &chunk, count - bytes.count, 0)
      if received < 0 && errno == EINTR { continue }
      guard received > 0 else { return nil }
      bytes.append(contentsOf: chunk[..<received])
    }
    return bytes
  }
}
