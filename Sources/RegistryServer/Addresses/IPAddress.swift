import Glibc

/// An IPv4 or IPv6 address. An IPv4 address inside IPv6 is an IPv4 address.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  /// Network order: 4 or 16 bytes.
  let bytes: [UInt8]

  /// `::`, which no client has.
  static let unspecified = IPAddress(bytes: [UInt8](repeating: 0, count: 16))

  /// Reads the usual spellings; nil for names, ports, zones and anything else.
  public init?(_ text: some StringProtocol) {
    let text = String(text)
    // inet_pton stops at a NUL, which no address has.
    guard !text.utf8.contains(0) else { return nil }
    if let four = Self.parse(text, AF_INET, byteCount: 4) {
      bytes = four
    } else if let sixteen = Self.parse(text, AF_INET6, byteCount: 16) {
      let isMapped = sixteen[..<10].allSatisfy { $0 == 0 } && sixteen[10] == 0xFF && sixteen[11] == 0xFF
      bytes = isMapped ? Array(sixteen[12...]) : sixteen
    } else {
      return nil
    }
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private static func parse(_ text: String, _ family: Int32, byteCount: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    return inet_pton(family, text, &bytes) == 1 ? bytes : nil
  }

  /// What counts as one client: the IPv4 address, or the first 64 bits of the IPv6 address, which a client has to itself.
  var client: IPAddress {
    bytes.count == 4 ? self : IPAddress(bytes: bytes[..<8] + [UInt8](repeating: 0, count: 8))
  }

  /// The usual spelling.
  public var description: String {
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count))
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// An address, or a network of addresses: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
  private let base: IPAddress
  private let prefixBits: Int

  /// Nil for what is neither, and for a network whose address has bits behind the prefix.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = parts.first.flatMap({ IPAddress($0) }) else { return nil }
    let bits = address.bytes.count * 8
    if parts.count == 2 {
      guard let number = PlainDecimal.value(of: String(parts[1])), number <= bits else { return nil }
      prefixBits = Int(number)
    } else {
      prefixBits = bits
    }
    base = address
    guard Self.isZero(address, from: prefixBits) else { return nil }
  }

  private static func isZero(_ address: IPAddress, from start: Int) -> Bool {
    for (index, byte) in address.bytes.enumerated() {
      let covered = min(max(start - index * 8, 0), 8)
      if UInt16(byte) << UInt16(covered) & 0xFF != 0 { return false }
    }
    return true
  }

  /// Whether the address is in the network.
  func contains(_ address: IPAddress) -> Bool {
    guard address.bytes.count == base.bytes.count else { return false }
    let whole = prefixBits / 8
    guard address.bytes[..<whole] == base.bytes[..<whole] else { return false }
    let rest = prefixBits % 8
    return rest == 0 || address.bytes[whole] >> (8 - rest) == base.bytes[whole] >> (8 - rest)
  }

  /// As it is written.
  public var description: String {
    prefixBits == base.bytes.count * 8 ? "\(base)" : "\(base)/\(prefixBits)"
  }
}
