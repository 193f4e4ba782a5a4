import Glibc
public import KeyRecords

/// The system's clocks, as the registry wants them.
public enum SystemClock {
  /// The time of day now.
  public static var now: Milliseconds { timeOfDay() }

  static let timeOfDay: @Sendable () -> Milliseconds = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(time.tv_sec) * 1_000 + Milliseconds(time.tv_nsec) / 1_000_000
  }

  /// Since the machine started, the time it slept included.
  static let elapsed: @Sendable () -> Duration = {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
