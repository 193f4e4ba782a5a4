/// The first line of a request, taken apart (RFC 9112 §3). Positions alone, so that a head is moved without a thought.
struct RequestLine: Sendable, BitwiseCopyable {
  /// A method with a name of its own here, or any other.
  enum Method: UInt8 {
    case get
    case head
    case post
    case put
    case delete
    case options
    case patch
    case trace
    case other
  }

  private(set) var method = Method.get
  private(set) var methodName = ByteRange(0, 0)
  private(set) var minorVersion: UInt8 = 1
  /// The target as sent.
  private(set) var target = ByteRange(0, 0)
  private(set) var path = ByteRange(0, 0)
  /// Without the question mark.
  private(set) var query: ByteRange?
  /// Host and port of an absolute-form target.
  private(set) var authority: ByteRange?

  /// That of no request.
  init() {}

  /// Reads the line at `line` of `head`, which holds no control character but tabs.
  init(_ head: Span<UInt8>, line: Range<Int>, limits: HTTPLimits) throws(FramingFault) {
    var firstSpace = line.lowerBound
    while firstSpace < line.upperBound, ASCII.token.contains(head[firstSpace]) { firstSpace += 1 }
    guard firstSpace < line.upperBound else { throw .malformed(.requestLine) }
    guard head[firstSpace] == ASCII.space, firstSpace > line.lowerBound else { throw .malformed(.method) }
    let text = TargetText(head, firstSpace + 1..<line.upperBound)
    guard text.range.count <= limits.targetBytes else { throw .headersTooLarge }
    guard text.range.upperBound < line.upperBound, !text.range.isEmpty else { throw .malformed(.requestLine) }

    methodName = ByteRange(line.lowerBound, firstSpace)
    method = try RequestLine.method(head, methodName)
    minorVersion = try RequestLine.minorVersion(head, text.range.upperBound + 1..<line.upperBound)
    target = ByteRange(text.range.lowerBound, text.range.upperBound)
    let parts = try TargetParts(head, text, isOptions: method == .options)
    path = parts.path
    query = parts.query
    authority = parts.authority
  }

  private static func method(_ head: Span<UInt8>, _ range: ByteRange) throws(FramingFault) -> Method {
    if head.equals("GET", at: range, ignoringCase: false) { return .get }
    if head.equals("POST", at: range, ignoringCase: false) { return .post }
    if head.equals("HEAD", at: range, ignoringCase: false) { return .head }
    if head.equals("OPTIONS", at: range, ignoringCase: false) { return .options }
    if head.equals("PUT", at: range, ignoringCase: false) { return .put }
    if head.equals("DELETE", at: range, ignoringCase: false) { return .delete }
    if head.equals("PATCH", at: range, ignoringCase: false) { return .patch }
    if head.equals("TRACE", at: range, ignoringCase: false) { return .trace }
    if head.equals("CONNECT", at: range, ignoringCase: false) { throw .malformed(.connect) }
    return .other
  }

  private static func minorVersion(_ head: Span<UInt8>, _ range: Range<Int>) throws(FramingFault) -> UInt8 {
    guard range.count == ByteWord.byteCount else { throw .malformed(.version) }
    let word = ByteWord(head, at: range.lowerBound)
    if word.isSame(as: "HTTP/1.1") { return 1 }
    if word.isSame(as: "HTTP/1.0") { return 0 }
    throw .malformed(.version)
  }
}

/// What is between the spaces of a request line, looked at once.
private struct TargetText {
  /// Up to the space, or the end of the line.
  let range: Range<Int>
  /// Of the first one.
  private(set) var questionMark: Int?
  /// Whether there is a byte that stands in no URL: no visible ASCII character, or `#`.
  private(set) var isForbidden = false

  init(_ head: Span<UInt8>, _ rest: Range<Int>) {
    var position = TargetText.next(head, rest)
    while position < rest.upperBound, head[position] != ASCII.space {
      if head[position] != ASCII.questionMark {
        isForbidden = true
      } else if questionMark == nil {
        questionMark = position
      }
      position = TargetText.next(head, position + 1..<rest.upperBound)
    }
    range = rest.lowerBound..<position
  }

  /// The next byte that is not simply a part of a path, or the end.
  private static func next(_ head: Span<UInt8>, _ range: Range<Int>) -> Int {
    var position = range.lowerBound
    while position + ByteWord.byteCount <= range.upperBound {
      if let first = ByteWord(head, at: position).firstInTarget { return position + first }
      position += ByteWord.byteCount
    }
    while position < range.upperBound, !isSpecial(head[position]) { position += 1 }
    return position
  }

  private static func isSpecial(_ byte: UInt8) -> Bool {
    byte <= ASCII.space || byte >= ASCII.delete || byte == ASCII.hash || byte == ASCII.questionMark
  }
}

/// A request target in origin-form, absolute-form or (OPTIONS alone) asterisk-form (RFC 9112 §3.2).
private struct TargetParts {
  var path: ByteRange
  var query: ByteRange?
  var authority: ByteRange?

  init(_ head: Span<UInt8>, _ text: TargetText, isOptions: Bool) throws(FramingFault) {
    let range = text.range
    guard !text.isForbidden else { throw .malformed(.target) }
    path = ByteRange(range.lowerBound, range.upperBound)
    if head[range.lowerBound] == ASCII.asterisk {
      guard isOptions, range.count == 1 else { throw .malformed(.target) }
      return
    }
    if head[range.lowerBound] == ASCII.slash {
      split(range, text.questionMark)
      return
    }
    guard let hostStart = TargetParts.endOfScheme(head, path) else { throw .malformed(.target) }
    var hostEnd = hostStart
    while hostEnd < range.upperBound, head[hostEnd] != ASCII.slash, head[hostEnd] != ASCII.questionMark { hostEnd += 1 }
    let host = ByteRange(hostStart, hostEnd)
    guard Authority.isValid(head, host) else { throw .malformed(.target) }
    authority = host
    split(hostEnd..<range.upperBound, text.questionMark)
    // An empty path means "/" (RFC 9110 §4.2.3); the last slash of "://" lends its byte.
    if path.isEmpty { path = ByteRange(hostStart - 1, hostStart) }
  }

  /// Takes path and query apart. The first question mark is in `range` or nowhere: none stands in a scheme or a host.
  private mutating func split(_ range: Range<Int>, _ questionMark: Int?) {
    path = ByteRange(range.lowerBound, questionMark ?? range.upperBound)
    query = questionMark.map { ByteRange($0 + 1, range.upperBound) }
  }

  /// The index behind `http://` or `https://`, in any case.
  private static func endOfScheme(_ head: Span<UInt8>, _ target: ByteRange) -> Int? {
    for scheme in ["http://", "https://"] as [StaticString] {
      let end = Int(target.start) + scheme.utf8CodeUnitCount
      if end <= Int(target.end), head.equals(scheme, at: ByteRange(Int(target.start), end)) { return end }
    }
    return nil
  }
}
