import HTTPFormat

/// Finds out where a request comes from, behind proxies that were named.
struct ClientAddresses: Sendable {
  /// The proxies whose `X-Forwarded-For` is believed.
  let proxies: [AddressRange]

  /// The address of the client: that of the connection, or, when a named proxy holds the other end, the rightmost address
  /// of `X-Forwarded-For` that is no named proxy. What stands further left was written by the client, or by somebody
  /// nobody vouches for.
  ///
  /// Connections without an address count as one client.
  func client(of head: RequestHead, peer: String) -> IPAddress {
    guard let peer = IPAddress(peer) else { return .unspecified }
    guard !proxies.isEmpty, isProxy(peer), let list = head.value(of: "x-forwarded-for") else { return peer }
    var nearest = peer
    for element in list.split(separator: ",", omittingEmptySubsequences: false).reversed() {
      // Behind something that is no address nothing can be believed: the last that vouched for it counts.
      guard let address = Self.address(element) else { return nearest }
      nearest = address
      if !isProxy(address) { return address }
    }
    return nearest
  }

  private func isProxy(_ address: IPAddress) -> Bool {
    proxies.contains { $0.contains(address) }
  }

  /// Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
  private static func address(_ element: Substring) -> IPAddress? {
    let text = element.filter { $0 != " " && $0 != "\t" }
    if let address = IPAddress(text) { return address }
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      return IPAddress(text[text.index(after: text.startIndex)..<end])
    }
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return IPAddress(text[..<colon])
  }
}
