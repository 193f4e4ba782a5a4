import HTTPFormat

/// Who is talked to, and whether under TLS. Connections are shared within an origin and never beyond it.
public struct WebOrigin: Hashable, Sendable, CustomStringConvertible {
  /// Whether TLS protects the connection.
  public let isSecure: Bool
  /// A name in lower case or an address; an IPv6 address without its brackets.
  public let host: String
  /// 1…65535.
  public let port: UInt16

  /// Longest name (RFC 1035 §2.3.4).
  public static let longestHost = 253

  /// Nil when `host` is no name or address that can be looked up, sent and checked against a certificate, or `port` is 0.
  public init?(isSecure: Bool, host: String, port: UInt16) {
    guard port > 0, (1...WebOrigin.longestHost).contains(host.utf8.count) else { return nil }
    let isAddress = host.contains(":")
    let written = isAddress ? "[\(host)]" : host
    guard RequestSerializer.isValidHost(written) else { return nil }
    if isAddress, SocketAddress(numeric: host, port: port) == nil { return nil }
    self.isSecure = isSecure
    self.host = host.lowercased()
    self.port = port
  }

  /// The value of `Host`: without the port where it is the scheme's own.
  var hostField: String {
    let written = host.contains(":") ? "[\(host)]" : host
    return port == (isSecure ? 443 : 80) ? written : "\(written):\(port)"
  }

  /// As a URL without a path.
  public var description: String { (isSecure ? "https://" : "http://") + hostField }
}

/// An `http`, `https`, `ws` or `wss` URL, read strictly.
public struct WebURL: Hashable, Sendable {
  /// Where it leads; `wss` is secure as `https` is.
  public let origin: WebOrigin
  /// Path and query, with at least a slash.
  public let target: String

  /// Longest URL, in bytes.
  public static let longest = 2048

  /// Nil for anything else: user information, a fragment, white space, non-ASCII and control characters included. Nothing
  /// is decoded or repaired.
  public init?(_ text: String) {
    guard text.utf8.count <= WebURL.longest, let schemeEnd = text.range(of: "://") else { return nil }
    let isSecure: Bool
    switch text[..<schemeEnd.lowerBound].lowercased() {
    case "https", "wss": isSecure = true
    case "http", "ws": isSecure = false
    default: return nil
    }
    let rest = text[schemeEnd.upperBound...]
    let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    let tail = rest[authorityEnd...]
    let target = tail.first == "/" ? String(tail) : "/" + tail
    guard let origin = WebURL.origin(rest[..<authorityEnd], isSecure: isSecure),
      RequestSerializer.isValidTarget(target)
    else { return nil }
    self.origin = origin
    self.target = target
  }

  private static func origin(_ authority: Substring, isSecure: Bool) -> WebOrigin? {
    guard RequestSerializer.isValidHost(String(authority)) else { return nil }
    let standard: UInt16 = isSecure ? 443 : 80
    if authority.first == "[" {
      guard let close = authority.firstIndex(of: "]") else { return nil }
      let host = String(authority[authority.index(after: authority.startIndex)..<close])
      let behind = authority[authority.index(after: close)...]
      guard host.contains(":"), let port = behind.isEmpty ? standard : UInt16(behind.dropFirst()) else { return nil }
      return WebOrigin(isSecure: isSecure, host: host, port: port)
    }
    guard let colon = authority.firstIndex(of: ":") else {
      return WebOrigin(isSecure: isSecure, host: String(authority), port: standard)
    }
    guard let port = UInt16(authority[authority.index(after: colon)...]) else { return nil }
    return WebOrigin(isSecure: isSecure, host: String(authority[..<colon]), port: port)
  }
}

extension String {
  /// Where `other` first occurs.
  fileprivate func range(of other: StaticString) -> Range<String.Index>? {
    let bytes = UnsafeBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount)
    var start = utf8.startIndex
    while start < utf8.endIndex {
      let tail = utf8[start...]
      if tail.starts(with: bytes) { return start..<utf8.index(start, offsetBy: bytes.count) }
      start = utf8.index(after: start)
    }
    return nil
  }
}
