import KeyRecords
import Synchronization

/// A read of users from the database, which everybody who asks for one of them meanwhile waits for.
final class Fill: Sendable {
  typealias Outcome = Result<[UserID: UserSnapshot], RegistryUnavailable>

  private struct State {
    var outcome: Outcome?
    var waiting: [CheckedContinuation<Outcome, Never>] = []
  }

  private let state = Mutex(State())

  /// Waits for the end.
  nonisolated(nonsending) func users() async throws(RegistryUnavailable) -> [UserID: UserSnapshot] {
    if let outcome = state.withLock(\.outcome) { return try outcome.get() }
    let outcome = await withCheckedContinuation { continuation in
      let outcome = state.withLock { state in
        if state.outcome == nil { state.waiting.append(continuation) }
        return state.outcome
      }
      if let outcome { continuation.resume(returning: outcome) }
    }
    return try outcome.get()
  }

  /// Ends it; who waits goes on.
  func finish(_ outcome: Outcome) {
    let waiting = state.withLock { state in
      state.outcome = outcome
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume(returning: outcome) }
  }
}
