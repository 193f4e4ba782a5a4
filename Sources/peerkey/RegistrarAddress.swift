import ArgumentParser
import WebTransport

/// Where a registrar is: `http://…` or `https://…`, with a path if need be.
struct RegistrarAddress: Hashable, Sendable, CustomStringConvertible {
  let origin: WebOrigin
  /// What comes before `/apps/…`: empty, or a slash and more, without one at the end.
  let path: String

  init(_ text: String) throws {
    guard text.lowercased().hasPrefix("http"), let url = WebURL(text), !url.target.contains("?") else {
      throw ValidationError("\"\(text)\" is no registrar's address: give one like https://registrar.example")
    }
    origin = url.origin
    var path = url.target
    while path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// The address as it is noted.
  var description: String { "\(origin)\(path)" }
}
