import KeyRecords
import Logging
import Synchronization

/// The registry's time (protocol §5.2): never behind what was accepted, and refused while the clock cannot be right.
final class RegistryClock: Sendable {
  private struct State {
    var isRight = true
    var isHeldBack = false
    var heldBackCount = 0
  }

  private let timeOfDay: @Sendable () -> Milliseconds
  private let elapsed: @Sendable () -> Duration
  private let logger: Logger
  /// The first time of this run, less what had elapsed then: where time of day and elapsed time must go on to meet.
  private let origin: Milliseconds
  private let state = Mutex(State())

  init(_ configuration: RegistryConfiguration) {
    timeOfDay = configuration.clock
    elapsed = configuration.monotonicClock
    logger = configuration.logger
    origin = timeOfDay() - elapsed().wholeMilliseconds
  }

  var heldBackCount: Int { state.withLock { $0.heldBackCount } }
  var isRight: Bool { (try? checked()) != nil }

  /// The time for reading, not before `last`.
  func now(notBefore last: Milliseconds) throws(RegistryUnavailable) -> Milliseconds {
    max(try checked(), last)
  }

  /// The time of an acceptance, not before `last`. That it had to be held back is logged and counted.
  func acceptanceTime(notBefore last: Milliseconds) throws(RegistryUnavailable) -> Milliseconds {
    let time = try checked()
    let isHeldBack = time < last
    let isNew = state.withLock { state in
      defer { state.isHeldBack = isHeldBack }
      if isHeldBack { state.heldBackCount += 1 }
      return isHeldBack && !state.isHeldBack
    }
    if isNew {
      logger.warning(
        "the clock is behind the last accepted entry, whose time is used instead: set the clock",
        metadata: ["clock": "\(time)", "lastAccepted": "\(last)"])
    }
    return max(time, last)
  }

  private func checked() throws(RegistryUnavailable) -> Milliseconds {
    let time = timeOfDay()
    let expected = origin + elapsed().wholeMilliseconds
    let isRight = abs(time - expected) <= Limits.clockSkew
    let isChange = state.withLock { state in
      defer { state.isRight = isRight }
      return state.isRight != isRight
    }
    if isChange {
      logger.log(
        level: isRight ? .notice : .error,
        isRight
          ? "the clock is right again"
          : "the clock has jumped by more than 5 minutes, nothing is decided: set it, or restart if it was wrong before",
        metadata: ["clock": "\(time)", "expected": "\(expected)"])
    }
    guard isRight else { throw RegistryUnavailable("the clock has jumped by more than 5 minutes") }
    return time
  }
}

extension Duration {
  /// Milliseconds, without the rest.
  var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }
}
