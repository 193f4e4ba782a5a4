import HTTPFormat

/// The contract of this interface (OpenAPI 3.1), embedded in the program.
enum OpenAPIDocument {
  static let bytes = PackageResources.openapi_json
}

/// Where clients find the registrar: `https://keys.example`, without a slash at the end.
public struct PublicURL: Sendable, Hashable {
  /// The URL.
  public let text: String

  /// Longest URL.
  static let mostBytes = 512

  /// Nil unless it is `http://` or `https://`, a host, and printable ASCII without spaces, quotes, braces, query and
  /// fragment. Slashes at the end are taken off.
  public init?(_ text: String) {
    var text = Substring(text)
    while text.last == "/" { text.removeLast() }
    let forbidden = Set("\"\\{}<>^`|?#".utf8)
    guard text.utf8.count <= Self.mostBytes, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !forbidden.contains($0) })
    else { return nil }
    let rest = text.hasPrefix("https://") ? text.dropFirst(8) : text.hasPrefix("http://") ? text.dropFirst(7) : ""
    guard let first = rest.first, first != "/", first != ":" else { return nil }
    self.text = String(text)
  }
}
