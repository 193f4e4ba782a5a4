import Glibc
import HTTPFormat

/// The requests that one look at the descriptors brings to connections with nothing else to do: all are received, then all
/// are read, then all are answered, then all answers are sent.
///
/// So the system's code for receiving, ours, and the system's for sending are each gone through at a stretch, while they are
/// in the processor's cache; and whoever answers hears of all requests before the first is to be answered, and may ask for
/// their memory meanwhile. What is not one whole request without a body goes the connection's own way.
final class AnswerBatch {
  private struct Arrival {
    let connection: HTTPConnection
    /// Where in `received` it lies.
    let bytes: Range<Int>
    /// Whether it is one whole request without a body.
    var isRequest = false
  }

  private struct Answer {
    let connection: HTTPConnection
    /// Where in `answers` it lies.
    let bytes: Range<Int>
  }

  /// What is being worked at; taken out meanwhile, for its own sake and so that no look at it need be checked for a change.
  private struct Work {
    /// Each has its head in the room with its number.
    var rooms: [HeadRoom] = []
    var answers: [UInt8] = []
    var answered: [Answer] = []
  }

  private unowned let loop: EventLoop
  private let heads: HTTPLimits
  let handler: any ImmediateHandler
  private let received = UnsafeMutableRawBufferPointer.allocate(byteCount: roomForReads, alignment: 64)
  private var receivedCount = 0
  private var arrivals: [Arrival] = []
  private var work: Work? = Work()
  /// `run`, made once.
  private var runLater: () -> Void = {}

  /// Most requests of a batch; further ones make the next.
  private static let mostArrivals = 256
  /// The last read of a batch has room for as many bytes as any read.
  private static let roomForReads = 5 * EventLoop.scratchByteCount
  /// Largest array that is kept for the answers of the next batch.
  private static let mostKeptBytes = 1_048_576

  init(_ loop: EventLoop, heads: HTTPLimits, _ handler: any ImmediateHandler) {
    self.loop = loop
    self.heads = heads
    self.handler = handler
    runLater = { [unowned self] in run() }
  }

  deinit { received.deallocate() }

  /// Where the next connection receives.
  func receivingRoom() -> UnsafeMutableRawBufferPointer {
    if receivedCount + EventLoop.scratchByteCount > received.count || arrivals.count == Self.mostArrivals { run() }
    return UnsafeMutableRawBufferPointer(rebasing: received[receivedCount..<receivedCount + EventLoop.scratchByteCount])
  }

  /// Takes what a connection has received there.
  func take(_ connection: HTTPConnection, byteCount: Int) {
    var arrivals = takeArrivals()
    if arrivals.isEmpty { loop.afterEvents(runLater) }
    arrivals.append(Arrival(connection: connection, bytes: receivedCount..<receivedCount + byteCount))
    self.arrivals = arrivals
    receivedCount += byteCount
  }

  private func takeArrivals() -> [Arrival] {
    var taken: [Arrival] = []
    swap(&taken, &arrivals)
    return taken
  }

  private func run() {
    var arrivals = takeArrivals()
    guard !arrivals.isEmpty, var work = work.take() else { return }
    read(&arrivals, into: &work.rooms)
    for index in arrivals.indices {
      let connection = arrivals[index].connection
      let start = work.answers.count
      if !arrivals[index].isRequest {
        connection.received(UnsafeRawBufferPointer(rebasing: received[arrivals[index].bytes]))
      } else if connection.answerAtOnce(&work.rooms[index], handler, behind: &work.answers) {
        work.answered.append(Answer(connection: connection, bytes: start..<work.answers.count))
      }
    }
    send(work.answered, of: work.answers)
    work.answered.removeAll(keepingCapacity: true)
    work.answers.removeAll(keepingCapacity: work.answers.capacity <= Self.mostKeptBytes)
    self.work = work
    receivedCount = 0
    arrivals.removeAll(keepingCapacity: true)
    self.arrivals = arrivals
  }

  private func read(_ arrivals: inout [Arrival], into rooms: inout [HeadRoom]) {
    while rooms.count < arrivals.count { rooms.append(HeadRoom()) }
    for index in arrivals.indices {
      var parser = RequestParser(limits: heads)
      let bytes = UnsafeRawBufferPointer(rebasing: received[arrivals[index].bytes]).bindMemory(to: UInt8.self)
      guard case .complete(bytes.count) = parser.parse(bytes.span, into: &rooms[index]), !rooms[index].head.hasBody
      else { continue }
      arrivals[index].isRequest = true
      // One alone is answered at once: its memory would not be there any sooner.
      if arrivals.count > 1 { handler.prepare(rooms[index].head) }
    }
    if arrivals.count > 1 { handler.prepared() }
  }

  private func send(_ answered: [Answer], of answers: [UInt8]) {
    answers.withUnsafeBytes { bytes in
      for answer in answered { answer.connection.send(UnsafeRawBufferPointer(rebasing: bytes[answer.bytes])) }
    }
  }
}
