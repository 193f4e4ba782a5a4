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
  private var fields: [FieldRange] = []
  private var fault: FramingFault?

  /// A parser at the beginning of a connection.
  public init(limits: HTTPLimits = HTTPLimits()) {
    self.limits = limits
  }

  /// Reads the head at the beginning of `buffer`, whose bytes of an earlier, incomplete call are taken as unchanged.
  public mutating func parse(_ buffer: Span<UInt8>) -> HeadParse {
    var room = HeadRoom()
    return parse(buffer, room: &room)
  }

  /// The same; a head is put into `room` if it is there.
  public mutating func parse(_ buffer: Span<UInt8>, room: inout HeadRoom) -> HeadParse {
    if let fault { return .fault(fault) }
    if buffer.count < scanned { startOver() }
    do throws(FramingFault) {
      guard let head = try scan(buffer, &room) else { return .incomplete }
      let byteCount = lineStart
      startOver()
      return .complete(head, byteCount: byteCount)
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
  }

  private mutating func scan(_ buffer: Span<UInt8>, _ room: inout HeadRoom) throws(FramingFault) -> RequestHead? {
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
        if try take(ended, of: buffer, &room) { return try head(buffer, &room) }
      case ASCII.tab: position += 1
      case ASCII.lineFeed: throw .malformed(.bareLineFeed)
      default: throw .malformed(.controlCharacter)
      }
    }
    return try pause(at: position, end: end)
  }

  /// Remembers how far the bytes were looked at, unless no head can end within the limit any more.
  private mutating func pause(at position: Int, end: Int) throws(FramingFault) -> RequestHead? {
    scanned = position
    guard end < limits.headBytes else { throw .headersTooLarge }
    return nil
  }

  /// The index of the first control character, or the end of the range: by words of eight bytes, then by bytes.
  private static func endOfText(_ buffer: Span<UInt8>, _ range: Range<Int>) -> Int {
    let words = buffer.bytes
    var position = range.lowerBound
    // "Unsafe" is the type alone, and any eight bytes are a number; the bounds are checked.
    while position + 8 <= range.upperBound,
      !ASCII.hasControl(unsafe words.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
    { position += 8 }
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
      swap(&fields, &room.fields)
      if fields.capacity == 0 { fields.reserveCapacity(RequestParser.usualFieldCount) }
      return false
    }
    if range.isEmpty { return true }
    guard fields.count < limits.fieldCount else { throw .headersTooLarge }
    fields.append(try RequestParser.field(buffer, range))
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

  private mutating func head(_ buffer: Span<UInt8>, _ room: inout HeadRoom) throws(FramingFault) -> RequestHead? {
    guard let line else { return nil }
    let facts = try FieldFacts(buffer, fields: fields, line: line)
    var bytes: [UInt8] = []
    swap(&bytes, &room.bytes)
    buffer.extracting(0..<lineStart).withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    return RequestHead(bytes: bytes, fieldRanges: fields, line: line, facts: facts)
  }
}

/// Memory for the next head, from one that is not needed any more: so a loop that answers at once asks for none.
public struct HeadRoom: Sendable {
  fileprivate var bytes: [UInt8] = []
  fileprivate var fields: [FieldRange] = []

  /// No memory yet.
  public init() {}

  /// Takes the memory of a head.
  public mutating func takeBack(_ head: consuming RequestHead) {
    swap(&bytes, &head.bytes)
    swap(&fields, &head.fieldRanges)
    bytes.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
  }
}
