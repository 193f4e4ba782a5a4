/// Takes the framing off a chunked body (RFC 9112 §7.1). Chunk extensions and trailers are read and dropped.
struct ChunkedBody: Sendable {
  private enum State {
    case size
    case sizeExtension
    case sizeLineFeed
    case data
    case dataCarriageReturn
    case dataLineFeed
    case trailer
    case trailerLineFeed
    case complete
  }

  /// Most digits of a size: more than any limit has, and no overflow.
  private static let mostSizeDigits = 15

  private var state = State.size
  private var left = 0
  private var digitCount = 0
  /// Bytes of framing since the last chunk's data; in the trailers, since their beginning.
  private var framingCount = 0
  private var isLineEmpty = true

  var isComplete: Bool { state == .complete }

  /// Appends data to `body`, and returns how many bytes of input it took: all, or those up to the end of the body.
  mutating func read(
    _ input: Span<UInt8>, into body: inout [UInt8], bodyLimit: Int, framingLimit: Int
  ) throws(ResponseFault) -> Int {
    var position = 0
    while position < input.count, state != .complete {
      if state == .data {
        let count = min(left, input.count - position)
        input.extracting(position..<position + count).withUnsafeBufferPointer { body.append(contentsOf: $0) }
        position += count
        left -= count
        if left == 0 { state = .dataCarriageReturn }
        continue
      }
      framingCount += 1
      guard framingCount <= framingLimit else { throw .headTooLarge }
      try readFraming(input[position], room: bodyLimit - body.count)
      position += 1
    }
    return position
  }

  private mutating func readFraming(_ byte: UInt8, room: Int) throws(ResponseFault) {
    switch state {
    case .size: try readSize(byte)
    case .sizeExtension:
      if byte == ASCII.carriageReturn {
        state = .sizeLineFeed
      } else if ASCII.isForbiddenControl(byte) {
        throw .malformed(.chunk)
      }
    case .sizeLineFeed:
      try expect(byte, ASCII.lineFeed)
      guard left <= room else { throw .bodyTooLarge }
      state = left > 0 ? .data : .trailer
      framingCount = 0
    case .dataCarriageReturn:
      try expect(byte, ASCII.carriageReturn)
      state = .dataLineFeed
    case .dataLineFeed:
      try expect(byte, ASCII.lineFeed)
      state = .size
      digitCount = 0
    case .trailer: try readTrailer(byte)
    case .trailerLineFeed:
      try expect(byte, ASCII.lineFeed)
      state = isLineEmpty ? .complete : .trailer
      isLineEmpty = true
    case .data, .complete: break
    }
  }

  private mutating func readSize(_ byte: UInt8) throws(ResponseFault) {
    if let digit = ASCII.hexDigitValue(byte) {
      digitCount += 1
      guard digitCount <= ChunkedBody.mostSizeDigits else { throw .bodyTooLarge }
      left = left << 4 | Int(digit)
      return
    }
    guard digitCount > 0 else { throw .malformed(.chunk) }
    switch byte {
    case ASCII.carriageReturn: state = .sizeLineFeed
    case UInt8(ascii: ";"), ASCII.space, ASCII.tab: state = .sizeExtension
    default: throw .malformed(.chunk)
    }
  }

  private mutating func readTrailer(_ byte: UInt8) throws(ResponseFault) {
    if byte == ASCII.carriageReturn {
      state = .trailerLineFeed
    } else {
      guard !ASCII.isForbiddenControl(byte) else { throw .malformed(.chunk) }
      isLineEmpty = false
    }
  }

  private func expect(_ byte: UInt8, _ expected: UInt8) throws(ResponseFault) {
    guard byte == expected else { throw .malformed(.chunk) }
  }
}
