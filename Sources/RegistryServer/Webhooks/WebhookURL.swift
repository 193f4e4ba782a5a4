import WebTransport

/// Where an app's webhook is delivered: an `http` or `https` URL that the operator has named. Any address is allowed.
public struct WebhookURL: Sendable, Hashable, CustomStringConvertible {
  let url: WebURL

  /// Nil for anything else: user information, a fragment, white space and non-ASCII characters included.
  public init?(_ text: String) {
    // Those of WebSockets are URLs of that type too.
    guard text.hasPrefix("http://") || text.hasPrefix("https://"), let url = WebURL(text) else { return nil }
    self.url = url
  }

  /// Scheme, host and port: path and query may hold a secret of the receiver's.
  public var description: String { url.origin.description }
}
