/// Reads one HTTP/1.1 response, body included, from a stream of bytes, strictly (RFC 9112).
///
/// The result depends on the bytes alone, never on how they were cut into reads. What leaves a doubt where the response
/// ends is refused, since what is behind it would be taken for the answer to the next request. A fault is final.
public struct ResponseReader: Sendable {
  /// Most interim responses (1xx) before the real one.
  public static let mostInterimResponses = 8
  /// Most room that is made for a body before its bytes have come.
  private static let mostRoomInAdvance = 1_048_576

  private enum State {
    case head
    case length(Int)
    case chunked(ChunkedBody)
    case untilEnd
    case complete
  }

  private let limits: ResponseLimits
  private let isHead: Bool
  private let isUpgrade: Bool
  private var state = State.head
  private var scan = ResponseHeadScan()
  private var interimCount = 0

  /// The head, once it has come whole.
  public private(set) var head: ResponseHead?
  /// What has come of the body.
  public private(set) var body: [UInt8] = []

  /// - Parameters:
  ///   - isHead: Whether the request was HEAD: its answer has no body, whatever length it gives.
  ///   - isUpgrade: Whether the request asked for another protocol; then a 101 is a whole response.
  public init(limits: ResponseLimits = ResponseLimits(), isHead: Bool = false, isUpgrade: Bool = false) {
    self.limits = limits
    self.isHead = isHead
    self.isUpgrade = isUpgrade
  }

  /// Whether the response has come whole.
  public var isComplete: Bool {
    if case .complete = state { return true }
    return false
  }

  /// Takes bytes, and returns how many: all of them, or those up to the end of the response.
  public mutating func read(_ input: Span<UInt8>) throws(ResponseFault) -> Int {
    var position = 0
    while position < input.count, !isComplete {
      switch state {
      case .head: position += try readHead(input.extracting(position...))
      case .length(let left):
        let count = min(left, input.count - position)
        try append(input.extracting(position..<position + count))
        position += count
        state = count == left ? .complete : .length(left - count)
      case .chunked(var chunks):
        position += try chunks.read(
          input.extracting(position...), into: &body, bodyLimit: limits.bodyBytes, framingLimit: limits.headBytes)
        state = chunks.isComplete ? .complete : .chunked(chunks)
      case .untilEnd:
        try append(input.extracting(position...))
        position = input.count
      case .complete: break
      }
    }
    return position
  }

  /// Tells that the connection has ended, in the proper way as far as that can be known. Throws unless the response is
  /// complete, which it is also when its body is all that came.
  public mutating func end() throws(ResponseFault) {
    switch state {
    case .complete: break
    case .untilEnd: state = .complete
    case .head, .length, .chunked: throw .truncated
    }
  }

  private mutating func append(_ bytes: Span<UInt8>) throws(ResponseFault) {
    guard body.count + bytes.count <= limits.bodyBytes else { throw .bodyTooLarge }
    bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) }
  }

  private mutating func readHead(_ input: Span<UInt8>) throws(ResponseFault) -> Int {
    let (used, found) = try scan.read(input, limits: limits)
    guard let found else { return used }
    scan = ResponseHeadScan()
    let status = found.status
    let isBodiless = isHead || status < 200 || status == 204 || status == 304
    let framing = try ResponseFraming(
      found.bytes.span, fields: found.fields, minorVersion: found.minorVersion, isBodiless: isBodiless)
    guard status >= 200 || (status == 101 && isUpgrade) else {
      guard status != 101 else { throw .malformed(.unexpectedUpgrade) }
      interimCount += 1
      guard interimCount <= ResponseReader.mostInterimResponses else { throw .malformed(.tooManyInterim) }
      return used
    }
    head = ResponseHead(
      status: status, minorVersion: found.minorVersion, framing: framing, fieldRanges: found.fields, bytes: found.bytes)
    try beginBody(framing.body)
    return used
  }

  private mutating func beginBody(_ framing: ResponseFraming.Body) throws(ResponseFault) {
    switch framing {
    case .length(0): state = .complete
    case .length(let count):
      guard count <= limits.bodyBytes else { throw .bodyTooLarge }
      body.reserveCapacity(min(count, ResponseReader.mostRoomInAdvance))
      state = .length(count)
    case .chunked: state = .chunked(ChunkedBody())
    case .untilEnd: state = .untilEnd
    }
  }
}
