public import WebTransport

/// Where a registrar is: the base of all its paths, such as `https://keys.example` or `http://127.0.0.1:8787/registry`.
public struct RegistrarAddress: Hashable, Sendable, CustomStringConvertible {
  /// Why a text is no such address.
  public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people.
    public let description: String
  }

  /// Longest `sourceUrl` of a record, in bytes (protocol §3).
  public static let longestSourceURL = 512

  /// The server.
  public let origin: WebOrigin
  /// What goes before every path: empty, or a slash and more without one at the end.
  let prefix: String

  /// An address that the user has chosen.
  ///
  /// - Parameters:
  ///   - text: `https`, a host, maybe a port and a path; no user, query, fragment or dot segments. `http` is taken for
  ///     loopback addresses and `localhost`.
  ///   - isPlaintextAllowed: Whether `http` is taken for other hosts too. Who listens or meddles on the way then sees who
  ///     is looked up, and can withhold or replay answers; records stay signed.
  public init(_ text: String, isPlaintextAllowed: Bool = false) throws(Fault) {
    try self.init(parsing: text)
    guard origin.isSecure || isPlaintextAllowed || RegistrarAddress.isLoopback(origin.host) else {
      throw Fault(
        description: "plain http to \(origin.host) is not protected: use https, or allow plain http for this address")
    }
  }

  /// The address in the `sourceUrl` of a record (protocol §3): `https` alone. Whoever signed the record has chosen it: a
  /// connection to it is made with `RegistryNetwork.hintedTransport`.
  public init(sourceURL text: String) throws(Fault) {
    guard text.utf8.count <= RegistrarAddress.longestSourceURL, text.hasPrefix("https://") else {
      throw Fault(description: "a source URL begins with https:// and has at most \(Self.longestSourceURL) bytes")
    }
    try self.init(parsing: text)
  }

  private init(parsing text: String) throws(Fault) {
    guard text.lowercased().hasPrefix("http"), let url = WebURL(text) else {
      throw Fault(description: "“\(text.prefix(200))” is not an https URL of host, port and path")
    }
    let segments = url.target.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard !url.target.contains("?") else {
      throw Fault(description: "“\(text.prefix(200))”: the address of a registrar has no query")
    }
    // The last one is empty when the path ends with a slash.
    guard segments.dropLast().allSatisfy({ !$0.isEmpty }), !segments.contains("."), !segments.contains("..") else {
      throw Fault(description: "“\(text.prefix(200))”: the path has empty or dot segments")
    }
    origin = url.origin
    prefix = url.target.hasSuffix("/") ? String(url.target.dropLast()) : url.target
  }

  private static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || SocketAddress(numeric: host, port: 1)?.scope == .loopback
  }

  /// The URL, without a slash at the end.
  public var description: String { origin.description + prefix }
}
