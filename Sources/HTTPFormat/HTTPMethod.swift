/// A request method (RFC 9110 §9). Names are case-sensitive: `get` is not `GET`, but another method.
///
/// `CONNECT` is missing because the parser refuses it: what follows its head would not be HTTP.
public enum HTTPMethod: Hashable, Sendable {
  case get
  case head
  case post
  case put
  case delete
  case options
  case patch
  case trace
  /// Any other token.
  case other(String)

  /// The name as it stands in the request line.
  public var name: String {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    case .patch: "PATCH"
    case .trace: "TRACE"
    case .other(let name): name
    }
  }
}
