import CWebSockets
import Glibc

/// Makes listening sockets that share one port, one per loop.
enum Listening {
  /// Connections that wait to be accepted, per socket. The system may allow less.
  static let backlog: Int32 = 1024

  /// Descriptors of `count` sockets, and their port.
  static func open(host: String, port: UInt16, count: Int) throws(TransportError) -> (sockets: [Int32], port: UInt16) {
    var address = try resolve(host: host, port: port)
    if port != 0 { try checkUnused(address) }
    var sockets: [Int32] = []
    do throws(TransportError) {
      for _ in 0..<count {
        let socket = try listener(address, isShared: true)
        sockets.append(socket)
        address.port = try boundPort(of: socket)
      }
    } catch {
      for socket in sockets { close(socket) }
      throw error
    }
    return (sockets, address.port)
  }

  /// Sockets that share a port do not notice another process of the same user on it. One that shares with nobody does.
  private static func checkUnused(_ address: ListenAddress) throws(TransportError) {
    close(try listener(address, isShared: false))
  }

  private static func listener(_ address: ListenAddress, isShared: Bool) throws(TransportError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, type, 0)
    guard descriptor >= 0 else { throw TransportError("make a socket for \(address.name)", code: errno) }
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
    if isShared { setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, size) }
    let isListening = address.withSocketAddress { bind(descriptor, $0, $1) == 0 } && listen(descriptor, backlog) == 0
    guard isListening else {
      let code = errno
      close(descriptor)
      throw TransportError("listen on \(address.name)", code: code)
    }
    return descriptor
  }

  private static func boundPort(of descriptor: Int32) throws(TransportError) -> UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let code = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard code == 0 else { throw TransportError("read the port of a socket", code: errno) }
    return ListenAddress(name: "", storage: storage, length: length).port
  }

  private static func resolve(host: String, port: UInt16) throws(TransportError) -> ListenAddress {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, &hints, &list)
    defer { freeaddrinfo(list) }
    guard code == 0, let first = list?.pointee, let bytes = first.ai_addr else {
      throw TransportError("find the address \(host)", reason: String(cString: gai_strerror(code)))
    }
    var storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: min(Int(first.ai_addrlen), $0.count)))
    }
    var address = ListenAddress(name: "\(host):\(port)", storage: storage, length: first.ai_addrlen)
    address.port = port
    return address
  }
}

/// An address to listen on.
private struct ListenAddress {
  let name: String
  private var storage: sockaddr_storage
  private let length: socklen_t

  init(name: String, storage: sockaddr_storage, length: socklen_t) {
    self.name = name
    self.storage = storage
    self.length = length
  }

  var family: Int32 { Int32(storage.ss_family) }

  /// The port stands in the same place in both families.
  var port: UInt16 {
    get { withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.load(as: sockaddr_in.self).sin_port) } }
    set {
      withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.withMemoryRebound(to: sockaddr_in.self) { $0[0].sin_port = newValue.bigEndian }
      }
    }
  }

  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
