/// Reads HTTP/1.1 request heads from a growing buffer, strictly (RFC 9112; choices are listed in docs/http.md).
///
/// The verdict depends on the bytes alone, never on how they were cut into reads. Each byte is looked at once: the parser
/// remembers how far it came, so a head that arrives byte by byte costs no more than one that arrives whole.
///
/// Call `parse` with everything received and not yet used, from the first byte of the head on. After `.complete` drop
/// `byteCount` bytes and the body; the parser is then ready for the next request. A fault is final.
public struct RequestParser: Sendable {
  /// Largest `Content-Length` that is read as a number: 2^53, where JSON's integers end.
  public static let largestContentLength = 1 << 53
  /// Most digits of a `Content-Length`, zeros in front included: as many as `largestContentLength` has.
  public static let largestContentLengthDigits = 16

  private let limits: HTTPLimits
  private var scanned = 0
  private var lineStart = 0
  private var line: RequestLine?
  /// Those of the head so far, and behind them what the memory held before.
  private var fields: [FieldRange] = []
  private var fieldCount = 0
  private var fault: FramingFault?

  /// A parser at the beginning of a connection.
  public init(limits: HTTPLimits = HTTPLimits()) {
    self.limits = limits
  }

  /// Reads the head at the beginning of `buffer`, whose bytes of an earlier, incomplete call are taken as unchanged.
  public mutating func parse(_ buffer: Span<UInt8>) -> HeadParse {
    var room = HeadRoom()
    switch parse(buffer, into: &room) {
    case .incomplete: return .incomplete
    case .complete(let byteCount): return .complete(room.head, byteCount: byteCount)
    case .fault(let fault): return .fault(fault)
    }
  }

  /// The same; a whole head is in `room` then.
  public mutating func parse(_ buffer: Span<UInt8>, into room: inout HeadRoom) -> HeadProgress {
    if let fault { return .fault(fault) }
    if buffer.count < scanned { startOver() }
    do throws(FramingFault) {
      guard try scan(buffer, &room) else { return .incomplete }
      let byteCount = lineStart
      startOver()
      return .complete(byteCount: byteCount)
    } catch {
      fault = error
      return .fault(error)
    }
  }

  private mutating func startOver() {
    scanned = 0
    lineStart = 0
    line = nil
    fields = []
    fieldCount = 0
  }

  /// True when the head is whole.
  private mutating func scan(_ buffer: Span<UInt8>, _ room: inout HeadRoom) throws(FramingFault) -> Bool {
    let end = min(buffer.count, limits.headBytes)
    var position = scanned
    while true {
      position = RequestParser.endOfText(buffer, position..<end)
      guard position < end else { break }
      switch buffer[position] {
      case ASCII.carriageReturn:
        guard position + 1 < end else { return try pause(at: position, end: end) }
        guard buffer[position + 1] == ASCII.lineFeed else { throw .malformed(.bareCarriageReturn) }
        let ended = lineStart..<position
        position += 2
        lineStart = position
        if try take(ended, of: buffer, &room) {
          try finish(buffer, &room)
          return true
        }
      case ASCII.tab: position += 1
      case ASCII.lineFeed: throw .malformed(.bareLineFeed)
      default: throw .malformed(.controlCharacter)
      }
    }
    return try pause(at: position, end: end)
  }

  /// Remembers how far the bytes were looked at, unless no head can end within the limit any more.
  private mutating func pause(at position: Int, end: Int) throws(FramingFault) -> Bool {
    scanned = position
    guard end < limits.headBytes else { throw .headersTooLarge }
    return false
  }

  /// The index of the first control character, or the end of the range: by words of eight bytes, then by bytes.
  private static func endOfText(_ buffer: Span<UInt8>, _ range: Range<Int>) -> Int {
    var position = range.lowerBound
    while position + ByteWord.byteCount <= range.upperBound {
      if let first = ByteWord(buffer, at: position).firstControl { return position + first }
      position += ByteWord.byteCount
    }
    while position < range.upperBound, !ASCII.isControl(buffer[position]) { position += 1 }
    return position
  }

  /// Takes one line. True when it is the empty one that ends the head.
  private mutating func take(
    _ range: Range<Int>, of buffer: Span<UInt8>, _ room: inout HeadRoom
  ) throws(FramingFault) -> Bool {
    guard line != nil else {
      if range.isEmpty { throw .malformed(.emptyRequestLine) }
      line = try RequestLine(buffer, line: range, limits: limits)
      swap(&fields, &room.head.fieldRanges)
      if fields.capacity == 0 { fields.reserveCapacity(RequestParser.usualFieldCount) }
      return false
    }
    if range.isEmpty { return true }
    guard fieldCount < limits.fieldCount else { throw .headersTooLarge }
    let field = try RequestParser.field(buffer, range)
    if fieldCount < fields.count {
      fields[fieldCount] = field
    } else {
      fields.append(field)
    }
    fieldCount += 1
    return false
  }

  /// Room made at once for the fields of a head; more than most clients send.
  private static let usualFieldCount = 16

  private static func field(_ buffer: Span<UInt8>, _ range: Range<Int>) throws(FramingFault) -> FieldRange {
    if ASCII.isBlank(buffer[range.lowerBound]) { throw .malformed(.foldedField) }
    var colon = range.lowerBound
    while colon < range.upperBound, ASCII.token.contains(buffer[colon]) { colon += 1 }
    guard colon < range.upperBound else { throw .malformed(.fieldWithoutColon) }
    guard buffer[colon] == ASCII.colon else {
      throw .malformed(ASCII.isBlank(buffer[colon]) ? .spaceBeforeColon : .fieldName)
    }
    guard colon > range.lowerBound else { throw .malformed(.fieldName) }
    var start = colon + 1
    var end = range.upperBound
    while start < end, ASCII.isBlank(buffer[start]) { start += 1 }
    while end > start, ASCII.isBlank(buffer[end - 1]) { end -= 1 }
    return FieldRange(name: ByteRange(range.lowerBound, colon), value: ByteRange(start, end))
  }

  /// Puts the head into `room`.
  private mutating func finish(_ buffer: Span<UInt8>, _ room: inout HeadRoom) throws(FramingFault) {
    guard let line else { return }
    if fields.count > fieldCount { fields.removeLast(fields.count - fieldCount) }
    room.head.facts = try FieldFacts(buffer, fields: fields, line: line)
    room.head.line = line
    swap(&fields, &room.head.fieldRanges)
    room.head.bytes.become(buffer.extracting(0..<lineStart))
  }
}

/// Where a parser puts the heads that it reads, each over the last: so a loop that answers at once needs no memory for them.
/// A head that is kept is a copy, which costs memory only if another is read while it is there.
public struct HeadRoom: Sendable {
  /// The head that was read last, after `HeadProgress.complete`.
  public fileprivate(set) var head = RequestHead()

  /// No head yet.
  public init() {}
}

extension [UInt8] {
  /// Takes on other bytes: in place, where it has as many, as the heads of one kind of request do.
  fileprivate mutating func become(_ other: Span<UInt8>) {
    guard count == other.count else {
      removeAll(keepingCapacity: true)
      other.withUnsafeBufferPointer { append(contentsOf: $0) }
      return
    }
    withUnsafeMutableBytes { bytes in
      other.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }
  }
}
