import Glibc
public import KeyRecords

/// What a client knows of time: injected, so that tests need not wait.
public protocol ClientClock: Sendable {
  /// Milliseconds since 1970.
  func now() -> Milliseconds
  /// Waits; throws only when the task is cancelled.
  func sleep(for duration: Duration) async throws(CancellationError)
}

/// The system's clock.
public struct SystemClock: ClientClock {
  /// The clock.
  public init() {}

  /// Milliseconds since 1970.
  public func now() -> Milliseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(time.tv_sec) * 1_000 + Milliseconds(time.tv_nsec) / 1_000_000
  }

  /// Waits.
  public func sleep(for duration: Duration) async throws(CancellationError) {
    do {
      try await Task.sleep(for: duration)
    } catch {
      throw CancellationError()
    }
  }
}
