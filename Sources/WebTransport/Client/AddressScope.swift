/// Which part of the world an address belongs to, as far as that decides about trust (RFC 6890 and its successors).
public enum AddressScope: Hashable, Sendable {
  /// Reachable from everywhere.
  case global
  /// This machine.
  case loopback
  /// A network of its own: private, shared by a provider, unique local.
  case privateNetwork
  /// The link; here are also the metadata services of clouds.
  case linkLocal
  case multicast
  /// Everything that nobody should be connected to: unspecified, documentation, reserved, broadcast, tunnels.
  case reserved
}

/// Which addresses a client connects to. What counts is the address, after the name was looked up: the connection goes to
/// the very address that was checked, so that a name cannot change its mind in between.
public enum AddressPolicy: Hashable, Sendable {
  /// All.
  case any
  /// `AddressScope.global` alone, for names that strangers have chosen.
  case globalOnly

  /// Whether `address` may be connected to.
  public func allows(_ address: SocketAddress) -> Bool { self == .any || address.scope == .global }
}

extension SocketAddress {
  /// Where the address belongs. IPv4 addresses inside of IPv6 ones count as themselves.
  public var scope: AddressScope {
    bytes.count == 4 ? SocketAddress.scope(ipv4: bytes[...]) : SocketAddress.scope(ipv6: bytes)
  }

  private static func scope(ipv4 bytes: ArraySlice<UInt8>) -> AddressScope {
    let number = bytes.reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    for (network, length, scope) in specialIPv4 where number >> (32 - length) == network >> (32 - length) {
      return scope
    }
    return .global
  }

  /// Networks that are not global, with the lengths of their prefixes.
  private static let specialIPv4: [(network: UInt32, length: UInt32, scope: AddressScope)] = [
    (0x7F00_0000, 8, .loopback),
    (0x0A00_0000, 8, .privateNetwork),
    (0x6440_0000, 10, .privateNetwork),
    (0xAC10_0000, 12, .privateNetwork),
    (0xC0A8_0000, 16, .privateNetwork),
    (0xA9FE_0000, 16, .linkLocal),
    (0xE000_0000, 4, .multicast),
    (0x0000_0000, 8, .reserved),
    (0xC000_0000, 24, .reserved),
    (0xC000_0200, 24, .reserved),
    (0xC058_6300, 24, .reserved),
    (0xC612_0000, 15, .reserved),
    (0xC633_6400, 24, .reserved),
    (0xCB00_7100, 24, .reserved),
    (0xF000_0000, 4, .reserved),
  ]

  private static func scope(ipv6 bytes: [UInt8]) -> AddressScope {
    let first = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    let second = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF { return scope(ipv4: bytes[12...]) }
    // NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an IPv4 address to which a gateway connects.
    if first == 0x0064, second == 0xFF9B, bytes[4..<12].allSatisfy({ $0 == 0 }) { return scope(ipv4: bytes[12...]) }
    if first == 0x2002 {
      let inner = scope(ipv4: bytes[2..<6])
      return inner == .global ? .reserved : inner
    }
    if bytes[..<15].allSatisfy({ $0 == 0 }) { return bytes[15] == 1 ? .loopback : .reserved }
    if first & 0xFE00 == 0xFC00 { return .privateNetwork }
    if first & 0xFFC0 == 0xFE80 { return .linkLocal }
    if first & 0xFFC0 == 0xFEC0 { return .privateNetwork }
    if first >> 8 == 0xFF { return .multicast }
    // Only 2000::/3 is given out; of that, 2001::/23 (tunnels, benchmarks, overlays) and documentation are not hosts.
    guard first & 0xE000 == 0x2000 else { return .reserved }
    if first == 0x2001, second < 0x0200 || second == 0x0DB8 { return .reserved }
    return first == 0x3FFF && second < 0x1000 ? .reserved : .global
  }
}
