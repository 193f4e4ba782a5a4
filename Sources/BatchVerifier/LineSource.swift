/// Cuts an input into chunks of whole lines, in memory that does not grow with it.
struct LineSource: Sendable {
  /// Bytes asked of the system at once, and so about the size of a chunk: small enough that all cores get some of a
  /// small batch, large enough that locks cost nothing.
  static let readBytes = 64 << 10
  /// Memory above this that one long line took is given back.
  private static let keptBytes = 1 << 20

  private let descriptor: Descriptor
  private let maxLineBytes: Int
  /// What was read beyond the lines given out: the beginning of a line, or more after a line that was left out.
  private var carry: [UInt8] = []
  private var nextLine = 1
  private var nextTicket = 0
  private var isAtEnd = false

  init(_ descriptor: Descriptor, maxLineBytes: Int) {
    self.descriptor = descriptor
    self.maxLineBytes = maxLineBytes
  }

  /// No more chunks come.
  mutating func stop() {
    isAtEnd = true
    carry = []
  }

  /// Fills a chunk with the lines that have come, waiting for one if none has; false at the end.
  mutating func next(into chunk: inout LineChunk) throws(StreamFailure) -> Bool {
    begin(&chunk)
    var searched = 0
    while true {
      if let last = LineChunk.lastLF(in: chunk.bytes.span.extracting(searched..<chunk.count)) {
        let end = searched + last + 1
        carry.append(contentsOf: chunk.bytes[end..<chunk.count])
        chunk.count = end
        finish(&chunk, lines: Self.countLF(in: chunk.bytes.span.extracting(first: end)))
        return true
      }
      if isAtEnd { break }
      guard chunk.count <= maxLineBytes else {
        chunk.isTooLarge = true
        chunk.count = 0
        try skipLine()
        finish(&chunk, lines: 1)
        return true
      }
      searched = chunk.count
      chunk.count += try read(into: &chunk)
      isAtEnd = chunk.count == searched
    }
    guard chunk.count > 0 else { return false }
    finish(&chunk, lines: 1)
    return true
  }

  private mutating func begin(_ chunk: inout LineChunk) {
    if chunk.bytes.count > Self.keptBytes { chunk.bytes = [] }
    chunk.isTooLarge = false
    chunk.count = 0
    if chunk.bytes.count < carry.count { Self.grow(&chunk.bytes, to: carry.count) }
    chunk.bytes.replaceSubrange(0..<carry.count, with: carry)
    chunk.count = carry.count
    carry.removeAll(keepingCapacity: true)
  }

  private mutating func finish(_ chunk: inout LineChunk, lines: Int) {
    chunk.firstLine = nextLine
    chunk.lineCount = lines
    chunk.ticket = nextTicket
    nextLine += lines
    nextTicket += 1
  }

  private func read(into chunk: inout LineChunk) throws(StreamFailure) -> Int {
    if chunk.bytes.count < chunk.count + Self.readBytes {
      Self.grow(&chunk.bytes, to: max(2 * chunk.count, chunk.count + Self.readBytes))
    }
    return try descriptor.read(
      into: &chunk.bytes, at: chunk.count, count: Self.readBytes, step: "cannot read the objects")
  }

  /// Leaves out everything up to the next LF.
  private mutating func skipLine() throws(StreamFailure) {
    var buffer = [UInt8](repeating: 0, count: Self.readBytes)
    while !isAtEnd {
      let received = try descriptor.read(into: &buffer, at: 0, count: Self.readBytes, step: "cannot read the objects")
      isAtEnd = received == 0
      if let first = LineChunk.firstLF(in: buffer.span.extracting(first: received)) {
        carry.append(contentsOf: buffer[(first + 1)..<received])
        return
      }
    }
  }

  private static func grow(_ bytes: inout [UInt8], to count: Int) {
    bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
  }

  private static func countLF(in span: Span<UInt8>) -> Int {
    var lines = 0
    var start = 0
    while let next = LineChunk.firstLF(in: span.extracting(droppingFirst: start)) {
      lines += 1
      start += next + 1
    }
    return lines
  }
}
