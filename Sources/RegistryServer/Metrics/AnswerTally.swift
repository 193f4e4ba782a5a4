import Glibc
import Synchronization

/// Counts the answers from memory of one loop, which alone writes: so a count costs no lock, and no other processor's
/// attention. Whoever reads the metrics adds the tallies of all loops to what else is counted.
final class AnswerTally: Sendable {
  /// What is counted.
  enum Answer: Int, CaseIterable {
    case key
    case sameKey
    case resolve

    /// The labels under which it is shown.
    var route: (endpoint: Endpoint, status: Int) {
      switch self {
      case .key: (.key, 200)
      case .sameKey: (.key, 304)
      case .resolve: (.resolve, 200)
      }
    }
  }

  /// What was counted of one kind.
  struct Count {
    var answers: Int64 = 0
    /// Of the time from the end of a request to its answer.
    var nanoseconds: Int64 = 0
    /// By ``PrometheusMetrics/durationBounds``, with one more for what is above all of them.
    var byDuration = [Int64](repeating: 0, count: PrometheusMetrics.durationBounds.count + 1)
  }

  private let answers: [Cells]

  /// What one loop writes and others read.
  private final class Cells: Sendable {
    let nanoseconds = Atomic<Int64>(0)
    let byDuration: [Cell] = (0...PrometheusMetrics.durationBounds.count).map { _ in Cell() }
  }

  private final class Cell: Sendable {
    let value = Atomic<Int64>(0)

    /// Not an atomic addition: there is one writer.
    func increment() { value.store(value.load(ordering: .relaxed) &+ 1, ordering: .relaxed) }
  }

  private static let nanosecondBounds = PrometheusMetrics.durationBounds.map { Int64($0 * 1e9) }

  init() { answers = Answer.allCases.map { _ in Cells() } }

  /// Nanoseconds of a steady clock.
  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Counts an answer. On the loop only.
  func note(_ answer: Answer, since start: Int64) {
    let duration = Self.now - start
    let cells = answers[answer.rawValue]
    cells.nanoseconds.store(cells.nanoseconds.load(ordering: .relaxed) &+ duration, ordering: .relaxed)
    var place = 0
    while place < Self.nanosecondBounds.count, duration > Self.nanosecondBounds[place] { place += 1 }
    cells.byDuration[place].increment()
  }

  /// What has been counted. From any thread.
  func count(of answer: Answer) -> Count {
    let cells = answers[answer.rawValue]
    var count = Count()
    count.nanoseconds = cells.nanoseconds.load(ordering: .relaxed)
    count.byDuration = cells.byDuration.map { $0.value.load(ordering: .relaxed) }
    count.answers = count.byDuration.reduce(0, +)
    return count
  }
}
