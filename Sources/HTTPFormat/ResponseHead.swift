/// The head of a response that passed every check of `ResponseReader`.
public struct ResponseHead: Sendable {
  /// 200…599, or 101 where a change of protocol was asked for.
  public let status: Int
  let minorVersion: Int
  let framing: ResponseFraming
  let fieldRanges: [FieldRange]
  let bytes: [UInt8]

  /// Whether another request may follow on the connection: HTTP/1.1 without `Connection: close`, and a body whose end is
  /// not that of the connection.
  public var keepAlive: Bool { minorVersion == 1 && !framing.isClose && framing.body != .untilEnd }

  /// The value of a field, several joined by `", "` in the order they were sent; nil without such a field.
  ///
  /// `name` is written in lower case; the names sent are compared in any case. A byte beyond ASCII is read as the
  /// character with its number (ISO 8859-1).
  public func value(of name: StaticString) -> String? {
    var value: String?
    for field in fieldRanges where bytes.span.equals(name, at: field.name) {
      let text = ResponseHead.text(bytes[field.value.indices])
      value = value.map { $0 + ", " + text } ?? text
    }
    return value
  }

  /// All fields in the order they were sent, names as sent.
  public var fields: [(name: String, value: String)] {
    fieldRanges.map { (ResponseHead.text(bytes[$0.name.indices]), ResponseHead.text(bytes[$0.value.indices])) }
  }

  private static func text(_ slice: ArraySlice<UInt8>) -> String {
    String(String.UnicodeScalarView(slice.map { Unicode.Scalar($0) }))
  }

  /// How many field lines have this name, which is written in lower case.
  public func count(of name: StaticString) -> Int {
    fieldRanges.count { bytes.span.equals(name, at: $0.name) }
  }

  /// Whether a comma-separated field has this element. Both are written in lower case and compared in any case.
  public func hasElement(_ element: StaticString, in name: StaticString) -> Bool {
    for field in fieldRanges where bytes.span.equals(name, at: field.name) {
      var elements = ListElements(field.value)
      while let next = elements.next(bytes.span) {
        if bytes.span.equals(element, at: next) { return true }
      }
    }
    return false
  }
}

/// How a response ends, and what becomes of its connection (RFC 9112 §6.3).
struct ResponseFraming: Hashable, Sendable {
  enum Body: Hashable, Sendable {
    case length(Int)
    case chunked
    case untilEnd
  }

  var body = Body.untilEnd
  var isClose = false

  /// - Parameters:
  ///   - fields: Where the fields of `head` stand.
  ///   - isBodiless: Whether there is no body, whatever the fields say: an answer to HEAD, 1xx, 204, 304.
  init(
    _ head: Span<UInt8>, fields: [FieldRange], minorVersion: Int, isBodiless: Bool
  ) throws(ResponseFault) {
    var length: ByteRange?
    var isChunked = false
    for field in fields {
      if head.equals("content-length", at: field.name) {
        guard length == nil else { throw .malformed(.contentLength) }
        length = field.value
      } else if head.equals("transfer-encoding", at: field.name) {
        // Other codings are never asked for, and in HTTP/1.0 there are none.
        guard !isChunked, minorVersion == 1, head.equals("chunked", at: field.value) else {
          throw .malformed(.transferEncoding)
        }
        isChunked = true
      } else if head.equals("connection", at: field.name) {
        try readConnection(head, field.value)
      }
    }
    let count = try length.map { range throws(ResponseFault) in try ResponseFraming.number(head, range) }
    guard count == nil || !isChunked else { throw .malformed(.twoLengths) }
    if isBodiless {
      body = .length(0)
    } else if isChunked {
      body = .chunked
    } else if let count {
      body = .length(count)
    }
  }

  private mutating func readConnection(_ head: Span<UInt8>, _ value: ByteRange) throws(ResponseFault) {
    var options = ListElements(value)
    while let option = options.next(head) {
      for index in option.indices where !ASCII.token.contains(head[index]) { throw .malformed(.connection) }
      if head.equals("close", at: option) { isClose = true }
    }
  }

  private static func number(_ head: Span<UInt8>, _ range: ByteRange) throws(ResponseFault) -> Int {
    guard !range.isEmpty, range.count <= RequestParser.largestContentLengthDigits else {
      throw .malformed(.contentLength)
    }
    var number = 0
    for index in range.indices {
      guard ASCII.isDigit(head[index]) else { throw .malformed(.contentLength) }
      number = number * 10 + Int(head[index] - ASCII.zero)
    }
    return number
  }
}
