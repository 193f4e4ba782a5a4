/// Why a response is not taken. The connection it came on is closed.
public enum ResponseFault: Error, Hashable, Sendable {
  /// It breaks the grammar, or leaves a doubt where it ends.
  case malformed(ResponseMalformation)
  /// A limit of `ResponseLimits` on the head, or on the trailers of a chunked body, is passed.
  case headTooLarge
  /// `ResponseLimits.bodyBytes` is passed, by what came or by what was announced.
  case bodyTooLarge
  /// The connection ended in the middle.
  case truncated

  /// What is wrong, as the end of a sentence.
  public var reason: String {
    switch self {
    case .malformed(let malformation): malformation.rawValue
    case .headTooLarge: "the head of the answer is too long"
    case .bodyTooLarge: "the answer is too long"
    case .truncated: "the connection ended in the middle of the answer"
    }
  }
}

/// What exactly breaks the grammar of RFC 9112, or is refused where it leaves a choice.
public enum ResponseMalformation: String, Hashable, Sendable, CaseIterable {
  case lineEnd = "a line of the head ends without CR LF"
  case controlCharacter = "the head holds a control character"
  case statusLine = "the answer does not begin with a status line of HTTP/1.1 or HTTP/1.0"
  case status = "the status is not a number from 100 to 599"
  case field = "a line of the head is not a field"
  case contentLength = "Content-Length is not one plain number"
  case transferEncoding = "Transfer-Encoding is not just chunked"
  case twoLengths = "both Content-Length and Transfer-Encoding are given"
  case connection = "Connection is not a list of tokens"
  case tooManyInterim = "too many interim answers"
  case unexpectedUpgrade = "the protocol is changed without having been asked to"
  case chunk = "a chunk has no proper size or end"
}
