/// Collects the head of a response, line by line.
struct ResponseHeadScan: Sendable {
  /// A head whose lines are well formed.
  struct Found {
    let status: Int
    let minorVersion: Int
    let fields: [FieldRange]
    let bytes: [UInt8]
  }

  private var bytes: [UInt8] = []
  private var scanned = 0
  private var lineStart = 0
  private var line: (status: Int, minorVersion: Int)?
  private var fields: [FieldRange] = []

  /// Takes bytes up to the end of the head, and returns how many, with the head if it ended.
  mutating func read(_ input: Span<UInt8>, limits: ResponseLimits) throws(ResponseFault) -> (Int, Found?) {
    let before = bytes.count
    let taken = min(input.count, limits.headBytes - before)
    input.extracting(..<taken).withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    while let end = try endOfLine() {
      let range = lineStart..<end
      lineStart = scanned
      guard range.isEmpty, let line else {
        try take(range, limits: limits)
        continue
      }
      bytes.removeLast(bytes.count - scanned)
      let found = Found(status: line.status, minorVersion: line.minorVersion, fields: fields, bytes: bytes)
      return (scanned - before, found)
    }
    guard bytes.count < limits.headBytes else { throw .headTooLarge }
    return (taken, nil)
  }

  /// Where the CR LF of the line stands that begins at `lineStart`; nil when it has not come. Moves `scanned` behind it.
  private mutating func endOfLine() throws(ResponseFault) -> Int? {
    while scanned < bytes.count {
      let byte = bytes[scanned]
      if byte == ASCII.carriageReturn {
        guard scanned + 1 < bytes.count else { return nil }
        guard bytes[scanned + 1] == ASCII.lineFeed else { throw .malformed(.lineEnd) }
        scanned += 2
        return scanned - 2
      }
      guard byte != ASCII.lineFeed else { throw .malformed(.lineEnd) }
      guard !ASCII.isForbiddenControl(byte) else { throw .malformed(.controlCharacter) }
      scanned += 1
    }
    return nil
  }

  private mutating func take(_ range: Range<Int>, limits: ResponseLimits) throws(ResponseFault) {
    if line == nil {
      line = try ResponseHeadScan.statusLine(bytes.span, range)
    } else {
      guard fields.count < limits.fieldCount else { throw .headTooLarge }
      fields.append(try ResponseHeadScan.field(bytes.span, range))
    }
  }

  /// `HTTP/1.1 200 OK`. The reason may be missing, with the space before it (nginx omits neither, others do).
  private static func statusLine(
    _ head: Span<UInt8>, _ range: Range<Int>
  ) throws(ResponseFault) -> (status: Int, minorVersion: Int) {
    let start = range.lowerBound
    guard range.count >= 12 else { throw .malformed(.statusLine) }
    let version = ByteRange(start, start + 9)
    let isCurrent = head.equals("HTTP/1.1 ", at: version, ignoringCase: false)
    guard isCurrent || head.equals("HTTP/1.0 ", at: version, ignoringCase: false) else {
      throw .malformed(.statusLine)
    }
    var status = 0
    for index in start + 9..<start + 12 {
      guard ASCII.isDigit(head[index]) else { throw .malformed(.status) }
      status = status * 10 + Int(head[index] - ASCII.zero)
    }
    guard range.count == 12 || head[start + 12] == ASCII.space else { throw .malformed(.status) }
    guard (100...599).contains(status) else { throw .malformed(.status) }
    return (status, isCurrent ? 1 : 0)
  }

  private static func field(_ head: Span<UInt8>, _ range: Range<Int>) throws(ResponseFault) -> FieldRange {
    var colon = range.lowerBound
    while colon < range.upperBound, ASCII.token.contains(head[colon]) { colon += 1 }
    // Folded lines, spaces before the colon and lines without one end up here.
    guard colon < range.upperBound, head[colon] == ASCII.colon, colon > range.lowerBound else {
      throw .malformed(.field)
    }
    var start = colon + 1
    var end = range.upperBound
    while start < end, ASCII.isBlank(head[start]) { start += 1 }
    while end > start, ASCII.isBlank(head[end - 1]) { end -= 1 }
    return FieldRange(name: ByteRange(range.lowerBound, colon), value: ByteRange(start, end))
  }
}
