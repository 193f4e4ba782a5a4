/// What the fields of a head say about how the message is framed.
struct FieldFacts: Hashable, Sendable {
  var contentLength: Int?
  var host: ByteRange?
  var isClose = false
  var isConnectionUpgrade = false
  var hasUpgrade = false
  var isContinueExpected = false
  var isConditional = false

  /// Those of no fields.
  init() {}

  /// Checks the fields of a whole head against each other.
  ///
  /// What asks for 411 comes first: no length can be trusted beside `Transfer-Encoding`, whatever else is wrong.
  init(_ head: Span<UInt8>, fields: [FieldRange], line: RequestLine) throws(FramingFault) {
    var lengths = 0
    var hosts = 0
    var lastLength: ByteRange?
    var hasTransferEncoding = false
    var hasBadConnection = false
    for field in fields {
      switch FramingField(head, field.name) {
      case nil: break
      case .contentLength:
        lengths += 1
        lastLength = field.value
      case .transferEncoding: hasTransferEncoding = true
      case .host:
        hosts += 1
        host = field.value
      case .connection: hasBadConnection = !readConnection(head, field.value) || hasBadConnection
      case .upgrade: hasUpgrade = true
      case .expect: readExpect(head, field.value)
      case .ifNoneMatch: isConditional = true
      }
    }
    guard !hasTransferEncoding, line.method != .post || lengths > 0 else { throw .lengthRequired }
    guard lengths <= 1 else { throw .malformed(.repeatedContentLength) }
    guard hosts <= 1 else { throw .malformed(.repeatedHost) }
    guard hosts == 1 || line.minorVersion == 0 else { throw .malformed(.missingHost) }
    if let host, !Authority.isValid(head, host) { throw .malformed(.host) }
    guard !hasBadConnection else { throw .malformed(.connection) }
    contentLength = try lastLength.map { range throws(FramingFault) in try FieldFacts.length(head, range) }
  }

  private mutating func readConnection(_ head: Span<UInt8>, _ value: ByteRange) -> Bool {
    var options = ListElements(value)
    while let option = options.next(head) {
      for index in option.indices where !ASCII.token.contains(head[index]) { return false }
      if head.equals("close", at: option) { isClose = true }
      if head.equals("upgrade", at: option) { isConnectionUpgrade = true }
    }
    return true
  }

  private mutating func readExpect(_ head: Span<UInt8>, _ value: ByteRange) {
    var expectations = ListElements(value)
    while let expectation = expectations.next(head) {
      if head.equals("100-continue", at: expectation) { isContinueExpected = true }
    }
  }

  private static func length(_ head: Span<UInt8>, _ value: ByteRange) throws(FramingFault) -> Int {
    guard !value.isEmpty else { throw .malformed(.contentLength) }
    for index in value.indices where !ASCII.isDigit(head[index]) { throw .malformed(.contentLength) }
    var length = 0
    for index in value.indices {
      length = length * 10 + Int(head[index] - ASCII.zero)
      guard length <= RequestParser.largestContentLength else { throw .contentTooLarge }
    }
    // Zeros in front mean nothing, but not every reader counts on many of them (h11 stops at 20 digits).
    guard value.count <= RequestParser.largestContentLengthDigits else { throw .malformed(.contentLength) }
    return length
  }
}

/// The fields that decide about framing and the connection, and the one that asks whether anything is new.
private enum FramingField {
  case contentLength
  case transferEncoding
  case host
  case connection
  case upgrade
  case expect
  case ifNoneMatch

  /// Nil for every other field.
  init?(_ head: Span<UInt8>, _ name: ByteRange) {
    switch name.count {
    case 4 where head.equals("host", at: name): self = .host
    case 6 where head.equals("expect", at: name): self = .expect
    case 7 where head.equals("upgrade", at: name): self = .upgrade
    case 10 where head.equals("connection", at: name): self = .connection
    case 13 where head.equals("if-none-match", at: name): self = .ifNoneMatch
    case 14 where head.equals("content-length", at: name): self = .contentLength
    case 17 where head.equals("transfer-encoding", at: name): self = .transferEncoding
    default: return nil
    }
  }
}
