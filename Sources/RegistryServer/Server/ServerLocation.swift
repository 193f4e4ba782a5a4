import Synchronization

/// The public URL: the one that was given, or the address that the server was bound to.
final class ServerLocation: Sendable {
  private let url: Mutex<String>

  init(_ url: PublicURL?) {
    self.url = Mutex(url?.text ?? "")
  }

  var publicURL: String { url.withLock { $0 } }

  /// Takes the address for the URL if none was given.
  func bound(to host: String, port: UInt16) {
    url.withLock { url in
      if url.isEmpty { url = Self.url(host: host, port: port) }
    }
  }

  /// The URL of an address; those of IPv6 stand in brackets.
  static func url(host: String, port: UInt16) -> String {
    host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
  }
}
