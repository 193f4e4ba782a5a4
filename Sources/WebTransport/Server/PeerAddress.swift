import CWebSockets
import Glibc

/// Where a connection comes from.
struct PeerAddress: Sendable {
  /// The address in its usual form, without a port.
  let text: String
  /// What is counted as one client: the IPv4 address, or the first 64 bits of the IPv6 address, which a client has to
  /// itself.
  let client: ClientKey

  struct ClientKey: Hashable, Sendable {
    let isIPv6: Bool
    let bits: UInt64
  }

  init(_ storage: sockaddr_storage) {
    switch Int32(storage.ss_family) {
    case AF_INET:
      let address = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in.self) }.sin_addr
      self.init(ipv4: UInt32(bigEndian: address.s_addr))
    case AF_INET6:
      let address = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in6.self) }.sin6_addr
      self.init(ipv6: withUnsafeBytes(of: address) { Array($0) })
    default: self.init(text: "", client: ClientKey(isIPv6: false, bits: 0))
    }
  }

  private init(text: String, client: ClientKey) {
    self.text = text
    self.client = client
  }

  private init(ipv4 address: UInt32) {
    self.init(
      text: "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)",
      client: ClientKey(isIPv6: false, bits: UInt64(address)))
  }

  private init(ipv6 bytes: [UInt8]) {
    let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    if isMapped {
      self.init(ipv4: bytes[12...].reduce(0) { $0 << 8 | UInt32($1) })
      return
    }
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(AF_INET6, bytes, &buffer, socklen_t(buffer.count))
    self.init(
      text: String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self),
      client: ClientKey(isIPv6: true, bits: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }))
  }
}
