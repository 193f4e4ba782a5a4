import Cryptography
import HTTPFormat
import KeyRecords

/// The signed request that a member sends along: `Authorization: Peerstack <base64 of JSON>`, or the same as the query
/// parameter `authorization` where a browser cannot set the field (protocol §8).
enum AccessToken {
  /// The name of the scheme; schemes are compared in any case (RFC 9110 §11.1).
  static let scheme = "peerstack"
  /// The name of the query parameter.
  static let parameter = "authorization"

  /// The request of `head`; nil when there is none, several or a broken one.
  ///
  /// - Parameter allowsParameter: Whether the parameter counts; the field comes first.
  static func request(in head: RequestHead, allowsParameter: Bool) -> AccessRequest? {
    guard let text = text(in: head, allowsParameter: allowsParameter), let json = Base64.decodeCanonical(text)
    else { return nil }
    return try? AccessRequest.read(json).get()
  }

  private static func text(in head: RequestHead, allowsParameter: Bool) -> String? {
    if head.count(of: "authorization") > 0 {
      guard let value = head.soleValueBytes(of: "authorization") else { return nil }
      return credentials(String(decoding: value, as: UTF8.self))
    }
    guard allowsParameter, let items = QueryItems(head.query), items.count(of: parameter) == 1,
      let value = items[parameter]
    else { return nil }
    // The value of the field is taken as well as what follows its scheme.
    return credentials(value) ?? value
  }

  private static func credentials(_ value: String) -> String? {
    let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].lowercased() == scheme else { return nil }
    return String(parts[1].drop { $0 == " " })
  }

  /// What a request is signed for: path and query without the parameter, as sent.
  static func target(of head: RequestHead) -> String {
    guard let query = QueryItems.query(head.query, omitting: parameter) else { return head.path }
    return "\(head.path)?\(query)"
  }
}
