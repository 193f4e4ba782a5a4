/// Why a request head is refused. The connection is answered and closed (protocol §8).
public enum FramingFault: Error, Hashable, Sendable {
  /// 400 `malformed`.
  case malformed(Malformation)
  /// 411 `length-required`: `Transfer-Encoding`, or a POST without `Content-Length`.
  case lengthRequired
  /// 431 `headers-too-large`: a limit of `HTTPLimits` is passed.
  case headersTooLarge
  /// 413 `too-large`: a `Content-Length` over `RequestParser.largestContentLength`, which fits no limit of any service.
  case contentTooLarge

  /// What is wrong, as the end of a sentence a person can act on.
  public var reason: String {
    switch self {
    case .malformed(let malformation): malformation.rawValue
    case .lengthRequired: "a body must be sent with Content-Length and without Transfer-Encoding"
    case .headersTooLarge: "the request line or the header fields are too long"
    case .contentTooLarge: "Content-Length is far beyond any limit"
    }
  }
}

/// What exactly breaks the grammar of RFC 9112, or is refused where it leaves a choice (docs/http.md).
public enum Malformation: String, Hashable, Sendable, CaseIterable {
  case bareLineFeed = "a line ends in LF without CR"
  case bareCarriageReturn = "a CR is not followed by LF"
  case controlCharacter = "the head holds a control character"
  case emptyRequestLine = "there is an empty line before the request line"
  case requestLine = "the request line is not method, target and version with one space between them"
  case method = "the method is not a token"
  case connect = "CONNECT is not served here"
  case target = "the request target is neither a path nor an http or https URL"
  case version = "the version is neither HTTP/1.1 nor HTTP/1.0"
  case foldedField = "a header line begins with a space or tab"
  case spaceBeforeColon = "there is a space before the colon of a header field"
  case fieldWithoutColon = "a header line has no colon"
  case fieldName = "the name of a header field is not a token"
  case missingHost = "Host is missing"
  case repeatedHost = "Host is given more than once"
  case host = "Host is not a host name or address with an optional port"
  case contentLength = "Content-Length is not one plain number"
  case repeatedContentLength = "Content-Length is given more than once"
  case connection = "Connection is not a list of tokens"
}
