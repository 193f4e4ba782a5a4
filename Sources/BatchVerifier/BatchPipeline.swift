import Glibc

/// Judges the lines of a chunk. One per thread: it keeps its memory for the next chunk.
public protocol ChunkJudge: SendableMetatype {
  /// Appends one line of answer for each line of the chunk, in their order.
  mutating func judge(_ chunk: LineChunk, appendingTo output: inout [UInt8])
}

/// Judges the lines of one descriptor on several threads and writes the answers to another in the order of the lines.
///
/// Memory does not grow with the input: every thread holds one chunk, and waits with its answers for its turn.
public struct BatchPipeline: Sendable {
  private struct Sink: Sendable {
    var nextTicket = 0
    var lines = 0
    var failure: StreamFailure?
  }

  private let input: Descriptor
  private let output: Descriptor
  private let threads: Int
  private let maxLineBytes: Int

  /// A pipeline from `input` to `output`.
  ///
  /// - Parameters:
  ///   - threads: How many threads judge; at least 1.
  ///   - maxLineBytes: A longer line is told to the judge as too large, without its bytes.
  public init(input: Descriptor, output: Descriptor, threads: Int = Self.processors, maxLineBytes: Int) {
    self.input = input
    self.output = output
    self.threads = max(1, threads)
    self.maxLineBytes = maxLineBytes
  }

  /// Processors at hand.
  public static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Runs to the end of the input; the number of lines that were answered.
  ///
  /// The work is done on threads of its own, so that reading and writing may block.
  ///
  /// - Parameters:
  ///   - progress: Told the number of lines after each chunk, by one thread at a time.
  ///   - makeJudge: Makes the judge of a thread.
  public func run(
    progress: @escaping @Sendable (_ lines: Int) -> Void = { _ in },
    makeJudge: @escaping @Sendable () -> some ChunkJudge
  ) async throws(StreamFailure) -> Int {
    let source = Monitor(LineSource(input, maxLineBytes: maxLineBytes))
    let sink = Monitor(Sink())
    let work: @Sendable () -> Void = {
      Self.work(source: source, sink: sink, output: output, judge: makeJudge(), progress: progress)
    }
    await withCheckedContinuation { continuation in
      let coordinator = Thread {
        let helpers = (1..<threads).compactMap { _ in Thread(work) }
        work()
        for helper in helpers { helper.join() }
        continuation.resume()
      }
      guard let coordinator else {
        sink.withLock { $0.failure = StreamFailure("cannot start a thread", number: EAGAIN) }
        return continuation.resume()
      }
      coordinator.detach()
    }
    let end = sink.withLock { $0 }
    if let failure = end.failure { throw failure }
    return end.lines
  }

  private static func work(
    source: Monitor<LineSource>, sink: Monitor<Sink>, output: Descriptor, judge: some ChunkJudge,
    progress: @Sendable (Int) -> Void
  ) {
    var judge = judge
    var chunk = LineChunk()
    var answers: [UInt8] = []
    do throws(StreamFailure) {
      while try source.withLock({ source throws(StreamFailure) in try source.next(into: &chunk) }) {
        answers.removeAll(keepingCapacity: true)
        judge.judge(chunk, appendingTo: &answers)
        try sink.withLock(when: { $0.nextTicket == chunk.ticket || $0.failure != nil }) { sink throws(StreamFailure) in
          if let failure = sink.failure { throw failure }
          try output.writeAll(answers, step: "cannot write the verdicts")
          sink.nextTicket += 1
          sink.lines += chunk.lineCount
          progress(sink.lines)
        }
      }
    } catch {
      // Who waits for a turn must not wait for ever, and nothing more is to be read.
      sink.withLock { $0.failure = $0.failure ?? error }
      source.withLock { $0.stop() }
    }
  }
}
