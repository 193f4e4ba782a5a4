import Glibc

/// An IPv4 or IPv6 address with a port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// 4 or 16 bytes.
  public let bytes: [UInt8]
  /// In the machine's order.
  public let port: UInt16
  /// The interface of a link-local IPv6 address; 0 for none.
  private let interface: UInt32

  /// What `getaddrinfo` says; nil for another family than IPv4 and IPv6.
  init?(_ pointer: UnsafePointer<sockaddr>, length: socklen_t) {
    let raw = UnsafeRawBufferPointer(start: pointer, count: Int(length))
    switch Int32(pointer.pointee.sa_family) {
    case AF_INET where raw.count >= MemoryLayout<sockaddr_in>.size:
      let address = raw.loadUnaligned(as: sockaddr_in.self)
      bytes = withUnsafeBytes(of: address.sin_addr) { Array($0) }
      port = UInt16(bigEndian: address.sin_port)
      interface = 0
    case AF_INET6 where raw.count >= MemoryLayout<sockaddr_in6>.size:
      let address = raw.loadUnaligned(as: sockaddr_in6.self)
      bytes = withUnsafeBytes(of: address.sin6_addr) { Array($0) }
      port = UInt16(bigEndian: address.sin6_port)
      interface = address.sin6_scope_id
    default: return nil
    }
  }

  /// An address in its usual form, such as `127.0.0.1` or `::1`; nil for anything else. Names are not looked up.
  public init?(numeric text: String, port: UInt16) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = withUnsafeBytes(of: four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      bytes = withUnsafeBytes(of: six) { Array($0) }
    } else {
      return nil
    }
    self.port = port
    interface = 0
  }

  var family: Int32 { bytes.count == 4 ? AF_INET : AF_INET6 }

  /// Begins to connect a socket; the result and `errno` are those of `connect`.
  func connect(_ descriptor: Int32) -> Int32 {
    if bytes.count == 4 {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
      return SocketAddress.connect(descriptor, &address)
    }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    address.sin6_scope_id = interface
    withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
    return SocketAddress.connect(descriptor, &address)
  }

  private static func connect<Address>(_ descriptor: Int32, _ address: inout Address) -> Int32 {
    let length = socklen_t(MemoryLayout<Address>.size)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) }
    }
  }

  /// The address without its port.
  public var text: String {
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Such as `127.0.0.1:80` and `[::1]:80`.
  public var description: String { bytes.count == 4 ? "\(text):\(port)" : "[\(text)]:\(port)" }
}
