/// What a parser found that puts heads into a `HeadRoom`.
public enum HeadProgress: Sendable {
  /// As in `HeadParse`.
  case incomplete
  /// The room has a whole head.
  case complete(byteCount: Int)
  /// As in `HeadParse`.
  case fault(FramingFault)
}

/// What `RequestParser.parse` found at the beginning of its buffer.
public enum HeadParse: Sendable {
  /// The head has not ended yet: call again with the same bytes and more behind them.
  case incomplete
  /// A whole head. It took the first `byteCount` bytes; a body of `contentLength` bytes and then further requests follow.
  case complete(RequestHead, byteCount: Int)
  /// Not a request that is served: answer and close.
  case fault(FramingFault)
}
