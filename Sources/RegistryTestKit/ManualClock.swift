public import KeyRecords
public import RegistryClient
import Synchronization

/// A clock that stands still until it is moved. Short sleeps pass at once, long ones last until their task is
/// cancelled.
public final class ManualClock: ClientClock {
  private struct State {
    var now: Milliseconds
    var slept: [Duration] = []
    var areTimeoutsDue = false
  }

  /// Sleeps from this on are deadlines, not pauses.
  public static let deadline: Duration = .seconds(10)

  private let state: Mutex<State>

  /// A clock at a time.
  public init(now: Milliseconds) { state = Mutex(State(now: now)) }

  /// Milliseconds since 1970.
  public func now() -> Milliseconds { state.withLock { $0.now } }

  /// Moves the clock.
  public func advance(by milliseconds: Milliseconds) { state.withLock { $0.now += milliseconds } }

  /// From now on every deadline has passed.
  public func letDeadlinesPass() { state.withLock { $0.areTimeoutsDue = true } }

  /// The pauses that were asked for.
  public var pauses: [Duration] { state.withLock { $0.slept } }

  /// Waits not at all, or until the task is cancelled.
  public func sleep(for duration: Duration) async throws(CancellationError) {
    let isDue = state.withLock { state in
      if duration >= Self.deadline { return state.areTimeoutsDue }
      state.slept.append(duration)
      return true
    }
    await Task.yield()
    guard !Task.isCancelled else { throw CancellationError() }
    if isDue { return }
    do {
      while true { try await Task.sleep(for: .seconds(3_600)) }
    } catch {
      throw CancellationError()
    }
  }
}
