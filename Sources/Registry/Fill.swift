import KeyRecords
import Synchronization

/// A read of users from the database, which everybody who asks for one of them meanwhile waits for.
final class Fill: Sendable {
  /// What came of it, for each user.
  struct Outcome {
    /// Those that were found; who is in neither has been claimed by nobody.
    var users: [UserID: UserSnapshot] = [:]
    var failures: [UserID: RegistryUnavailable] = [:]

    func user(_ id: UserID) throws(RegistryUnavailable) -> UserSnapshot? {
      if !failures.isEmpty, let failure = failures[id] { throw failure }
      return users[id]
    }
  }

  private enum Waiter {
    case continuation(CheckedContinuation<Outcome, Never>)
    case call(@Sendable (Outcome) -> Void)
  }

  private struct State {
    var outcome: Outcome?
    var waiting: [Waiter] = []
  }

  private let state = Mutex(State())

  /// Waits for the end.
  nonisolated(nonsending) func outcome() async -> Outcome {
    if let outcome = state.withLock(\.outcome) { return outcome }
    return await withCheckedContinuation { continuation in
      if let outcome = enter(.continuation(continuation)) { continuation.resume(returning: outcome) }
    }
  }

  /// Calls `call` at the end, on the thread that ends it; at once if that has been.
  func whenDone(_ call: @escaping @Sendable (Outcome) -> Void) {
    if let outcome = enter(.call(call)) { call(outcome) }
  }

  /// The outcome, if it is there; else the waiter will be told.
  private func enter(_ waiter: Waiter) -> Outcome? {
    state.withLock { state in
      if state.outcome == nil { state.waiting.append(waiter) }
      return state.outcome
    }
  }

  /// Ends it; who waits goes on.
  func finish(_ outcome: Outcome) {
    let waiting = state.withLock { state in
      state.outcome = outcome
      defer { state.waiting = [] }
      return state.waiting
    }
    for waiter in waiting {
      switch waiter {
      case .continuation(let continuation): continuation.resume(returning: outcome)
      case .call(let call): call(outcome)
      }
    }
  }
}
