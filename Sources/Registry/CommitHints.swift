import KeyRecords
import Postgres
import Synchronization

/// Tells other instances of commits. What they are told is a hint, and they read all there is when they hear one: of many
/// commits within a short while one hint is enough. Each wakes a process of Postgres for everybody who listens, this
/// instance too.
final class CommitHints: Sendable {
  /// The time between two hints about an app: so much later others hear of a commit, at worst.
  static let interval: Duration = .milliseconds(25)

  private struct Hints {
    /// When others were told last, or were to be.
    var last: ContinuousClock.Instant
    /// Whether a timer is to tell.
    var isOwed = false
  }

  private let core: RegistryCore
  private let hints = Mutex<[AppID: Hints]>([:])

  init(_ core: RegistryCore) { self.core = core }

  /// Whether a commit that is about to be made shall tell; if not, ``owe(_:)`` must follow once it is published.
  func isDue(_ memory: AppMemory) -> Bool {
    let now = ContinuousClock.now
    return hints.withLock { hints in
      if let known = hints[memory.id], now - known.last < Self.interval { return false }
      hints[memory.id, default: Hints(last: now)].last = now
      return true
    }
  }

  /// Tells soon of what is published. On the commit loop.
  func owe(_ memory: AppMemory) {
    let wasOwed = hints.withLock { hints in
      defer { hints[memory.id]?.isOwed = true }
      return hints[memory.id]?.isOwed ?? false
    }
    if wasOwed { return }
    _ = core.commitLoop.schedule(after: Self.interval) { [weak self] in self?.tell(memory) }
  }

  private func tell(_ memory: AppMemory) {
    hints.withLock { $0[memory.id] = Hints(last: .now) }
    guard !core.isStopped else { return }
    Task(executorPreference: core.commitLoop) { [core] in
      // If it fails, the others' next look at the database makes up for it.
      _ = try? await core.change(Statements.notify, [BatchWriting.hint(memory.id, memory.applied)])
    }
  }
}
