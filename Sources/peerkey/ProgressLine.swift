import BatchVerifier
import Glibc
import Synchronization

/// How far a long run has come, on one line of a terminal that is written over.
final class ProgressLine: Sendable {
  private struct State {
    var shown: UInt64 = 0
    var count = 0
  }

  private static let interval: UInt64 = 100_000_000

  private let unit: String
  private let started = ProgressLine.nanoseconds()
  private let state = Mutex(State())

  /// A line that counts things called `unit`.
  init(unit: String) { self.unit = unit }

  /// Shows a count, ten times a second at most.
  func show(_ count: Int) {
    state.withLock { state in
      state.count = count
      let now = Self.nanoseconds()
      guard now - state.shown >= Self.interval else { return }
      state.shown = now
      write("\r\(text(count, at: now))\u{1b}[K")
    }
  }

  /// Leaves the last count on the terminal.
  func finish() {
    state.withLock { state in write("\r\(text(state.count, at: Self.nanoseconds()))\u{1b}[K\n") }
  }

  private func text(_ count: Int, at now: UInt64) -> String {
    let milliseconds = max(1, (now - started) / 1_000_000)
    return "\(count) \(unit), \(UInt64(count) * 1_000 / milliseconds) a second"
  }

  /// A terminal that is gone is no reason to stop.
  private func write(_ text: String) {
    try? Descriptor.standardError.writeAll(Array(text.utf8), step: "cannot show progress")
  }

  private static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
