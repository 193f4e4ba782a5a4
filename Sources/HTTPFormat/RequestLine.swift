/// The first line of a request, taken apart (RFC 9112 §3).
struct RequestLine: Sendable {
  let method: HTTPMethod
  let minorVersion: Int
  /// The target as sent.
  let target: ByteRange
  let path: ByteRange
  /// Without the question mark.
  let query: ByteRange?
  /// Host and port of an absolute-form target.
  let authority: ByteRange?

  /// Reads the line at `line` of `head`, which holds no control character but tabs.
  init(_ head: Span<UInt8>, line: Range<Int>, limits: HTTPLimits) throws(FramingFault) {
    var firstSpace = line.lowerBound
    while firstSpace < line.upperBound, ASCII.token.contains(head[firstSpace]) { firstSpace += 1 }
    guard firstSpace < line.upperBound else { throw .malformed(.requestLine) }
    guard head[firstSpace] == ASCII.space, firstSpace > line.lowerBound else { throw .malformed(.method) }
    var secondSpace = firstSpace + 1
    while secondSpace < line.upperBound, head[secondSpace] != ASCII.space { secondSpace += 1 }
    guard secondSpace - firstSpace - 1 <= limits.targetBytes else { throw .headersTooLarge }
    guard secondSpace < line.upperBound, secondSpace > firstSpace + 1 else { throw .malformed(.requestLine) }

    method = try RequestLine.method(head, ByteRange(line.lowerBound, firstSpace))
    minorVersion = try RequestLine.minorVersion(head, ByteRange(secondSpace + 1, line.upperBound))
    target = ByteRange(firstSpace + 1, secondSpace)
    let parts = try TargetParts(head, target, isOptions: method == .options)
    path = parts.path
    query = parts.query
    authority = parts.authority
  }

  private static func method(_ head: Span<UInt8>, _ range: ByteRange) throws(FramingFault) -> HTTPMethod {
    if head.equals("GET", at: range, ignoringCase: false) { return .get }
    if head.equals("POST", at: range, ignoringCase: false) { return .post }
    if head.equals("HEAD", at: range, ignoringCase: false) { return .head }
    if head.equals("OPTIONS", at: range, ignoringCase: false) { return .options }
    if head.equals("PUT", at: range, ignoringCase: false) { return .put }
    if head.equals("DELETE", at: range, ignoringCase: false) { return .delete }
    if head.equals("PATCH", at: range, ignoringCase: false) { return .patch }
    if head.equals("TRACE", at: range, ignoringCase: false) { return .trace }
    if head.equals("CONNECT", at: range, ignoringCase: false) { throw .malformed(.connect) }
    var name: [UInt8] = []
    for index in range.indices { name.append(head[index]) }
    return .other(String(decoding: name, as: UTF8.self))
  }

  private static func minorVersion(_ head: Span<UInt8>, _ range: ByteRange) throws(FramingFault) -> Int {
    if head.equals("HTTP/1.1", at: range, ignoringCase: false) { return 1 }
    if head.equals("HTTP/1.0", at: range, ignoringCase: false) { return 0 }
    throw .malformed(.version)
  }
}

/// A request target in origin-form, absolute-form or (OPTIONS alone) asterisk-form (RFC 9112 §3.2).
private struct TargetParts {
  var path: ByteRange
  var query: ByteRange?
  var authority: ByteRange?

  init(_ head: Span<UInt8>, _ target: ByteRange, isOptions: Bool) throws(FramingFault) {
    let range = target.indices
    for index in range where head[index] <= ASCII.space || head[index] >= ASCII.delete || head[index] == ASCII.hash {
      throw .malformed(.target)
    }
    path = target
    if head[range.lowerBound] == ASCII.asterisk {
      guard isOptions, target.count == 1 else { throw .malformed(.target) }
      return
    }
    if head[range.lowerBound] == ASCII.slash {
      split(head, range)
      return
    }
    guard let hostStart = TargetParts.endOfScheme(head, target) else { throw .malformed(.target) }
    var hostEnd = hostStart
    while hostEnd < range.upperBound, head[hostEnd] != ASCII.slash, head[hostEnd] != ASCII.questionMark { hostEnd += 1 }
    let host = ByteRange(hostStart, hostEnd)
    guard Authority.isValid(head, host) else { throw .malformed(.target) }
    authority = host
    split(head, hostEnd..<range.upperBound)
    // An empty path means "/" (RFC 9110 §4.2.3); the last slash of "://" lends its byte.
    if path.isEmpty { path = ByteRange(hostStart - 1, hostStart) }
  }

  private mutating func split(_ head: Span<UInt8>, _ range: Range<Int>) {
    var end = range.lowerBound
    while end < range.upperBound, head[end] != ASCII.questionMark { end += 1 }
    path = ByteRange(range.lowerBound, end)
    query = end < range.upperBound ? ByteRange(end + 1, range.upperBound) : nil
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
