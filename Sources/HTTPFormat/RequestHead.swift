/// The head of a request that passed every check of `RequestParser`.
///
/// The bytes are kept once, with positions; strings are made when they are asked for. Nothing is decoded: percent escapes
/// stay as they were sent (`PercentCoding`, `QueryItems`).
public struct RequestHead: Sendable {
  var bytes: [UInt8] = []
  var fieldRanges: [FieldRange] = []
  var line = RequestLine()
  var facts = FieldFacts()

  /// Room for a head, to be filled by the parser.
  init() {}

  /// The method.
  public var method: HTTPMethod {
    switch line.method {
    case .get: .get
    case .head: .head
    case .post: .post
    case .put: .put
    case .delete: .delete
    case .options: .options
    case .patch: .patch
    case .trace: .trace
    case .other: .other(string(line.methodName))
    }
  }

  /// 1 for HTTP/1.1, 0 for HTTP/1.0.
  public var minorVersion: Int { Int(line.minorVersion) }

  /// The path as sent, from the first slash up to the question mark; `*` for `OPTIONS *`; `/` for a URL without a path.
  public var path: String { string(line.path) }

  /// The bytes of `path`, without an allocation.
  public var pathBytes: ArraySlice<UInt8> { bytes[line.path.indices] }

  /// What follows the question mark, as sent; nil without a question mark.
  public var query: String? { line.query.map(string) }

  /// The bytes of `query`, without an allocation.
  public var queryBytes: ArraySlice<UInt8>? { line.query.map { bytes[$0.indices] } }

  /// Path and query as sent, without the scheme and authority of an absolute-form target.
  public var target: String {
    if line.authority == nil { return string(line.target) }
    guard let query else { return path }
    return path + "?" + query
  }

  /// The target as it stands in the request line, which may be a whole URL.
  public var rawTarget: String { string(line.target) }

  /// Host and optional port: from an absolute-form target, else from `Host`. Nil only in HTTP/1.0.
  public var host: String? { (line.authority ?? facts.host).map(string) }

  /// Bytes of body that follow the head; nil when the request declares none. Any method may have a body: where a route
  /// has no use for it, it is read to its end and dropped (protocol §8).
  public var contentLength: Int? { facts.contentLength }

  /// Whether a further request may follow: HTTP/1.1 without `Connection: close`. HTTP/1.0 is answered and closed.
  public var keepAlive: Bool { line.minorVersion == 1 && !facts.isClose }

  /// Whether the client waits for `100 Continue` before it sends the body. Never for HTTP/1.0 or an empty body
  /// (RFC 9110 §10.1.1); other expectations are ignored.
  public var expectsContinue: Bool {
    facts.isContinueExpected && line.minorVersion == 1 && (facts.contentLength ?? 0) > 0
  }

  /// Whether the client offers another protocol: HTTP/1.1 with `Upgrade` and `Connection: upgrade`. A server may always go
  /// on as if there were no offer (RFC 9110 §7.8).
  public var isUpgrade: Bool { line.minorVersion == 1 && facts.hasUpgrade && facts.isConnectionUpgrade }

  /// Whether `websocket` is among the offered protocols.
  public var isWebSocketUpgrade: Bool { isUpgrade && hasElement("websocket", in: "upgrade") }

  /// Whether there is an `If-None-Match`.
  public var isConditional: Bool { facts.isConditional }

  /// Gives the bytes of `path` to `body`, in place.
  public func withPath<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    try body(bytes.span.extracting(line.path.indices))
  }

  /// Whether there is a question mark.
  public var hasQuery: Bool { line.query != nil }

  /// Whether the path begins with `prefix`.
  public func hasPathPrefix(_ prefix: StaticString) -> Bool {
    let count = prefix.utf8CodeUnitCount
    guard line.path.count >= count else { return false }
    return bytes.span.equals(
      prefix, at: ByteRange(Int(line.path.start), Int(line.path.start) + count), ignoringCase: false)
  }

  /// Whether the path is exactly `path`.
  public func hasPath(_ path: StaticString) -> Bool {
    bytes.span.equals(path, at: line.path, ignoringCase: false)
  }

  private func string(_ range: ByteRange) -> String {
    String(decoding: bytes[range.indices], as: UTF8.self)
  }
}

// MARK: - Fields

extension RequestHead {
  /// The value of a field, several joined by `", "` in the order they were sent (RFC 9110 §5.3); nil without such a field.
  ///
  /// `name` is written in lower case; the names sent are compared in any case. A byte beyond ASCII is read as the
  /// character with its number (ISO 8859-1), so that different bytes are different strings.
  public func value(of name: StaticString) -> String? {
    var value: String?
    for field in fieldRanges where bytes.span.equals(name, at: field.name) {
      let text = RequestHead.text(bytes[field.value.indices])
      value = value.map { $0 + ", " + text } ?? text
    }
    return value
  }

  /// The bytes of a field that was sent exactly once, without an allocation. `name` is written in lower case.
  public func soleValueBytes(of name: StaticString) -> ArraySlice<UInt8>? {
    var found: ByteRange?
    for field in fieldRanges where bytes.span.equals(name, at: field.name) {
      if found != nil { return nil }
      found = field.value
    }
    return found.map { bytes[$0.indices] }
  }

  /// How many field lines have this name, which is written in lower case.
  public func count(of name: StaticString) -> Int {
    var count = 0
    for field in fieldRanges where bytes.span.equals(name, at: field.name) { count += 1 }
    return count
  }

  /// All fields in the order they were sent, names as sent.
  public var fields: [(name: String, value: String)] {
    fieldRanges.map { (string($0.name), RequestHead.text(bytes[$0.value.indices])) }
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

  private static func text(_ slice: ArraySlice<UInt8>) -> String {
    if slice.allSatisfy({ $0 < 0x80 }) { return String(decoding: slice, as: UTF8.self) }
    return String(String.UnicodeScalarView(slice.map { Unicode.Scalar($0) }))
  }
}
