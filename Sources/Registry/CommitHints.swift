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
    /// When a commit told last.
    var last: ContinuousClock.Instant
    /// Whether a commit has been left out since.
    var isOwed = false
    var isScheduled = false
  }

  private let core: RegistryCore
  private let hints = Mutex<[AppID: Hints]>([:])

  init(_ core: RegistryCore) { self.core = core }

  /// Whether a commit that is about to be made shall tell; if not, it is told of soon. On the commit loop.
  func isDue(_ memory: AppMemory) -> Bool {
    let now = ContinuousClock.now
    let (isDue, mustSchedule) = hints.withLock { hints in
      guard var known = hints[memory.id] else {
        hints[memory.id] = Hints(last: now)
        return (true, false)
      }
      defer { hints[memory.id] = known }
      known.isOwed = now - known.last < Self.interval
      guard known.isOwed else {
        known.last = now
        return (true, false)
      }
      defer { known.isScheduled = true }
      return (false, !known.isScheduled)
    }
    if mustSchedule {
      _ = core.commitLoop.schedule(after: Self.interval) { [weak self] in self?.tellIfOwed(memory) }
    }
    return isDue
  }

  /// Where no later commit has told.
  private func tellIfOwed(_ memory: AppMemory) {
    let isOwed = hints.withLock { hints in
      defer {
        hints[memory.id]?.isScheduled = false
        hints[memory.id]?.isOwed = false
      }
      return hints[memory.id]?.isOwed ?? false
    }
    guard isOwed, !core.isStopped else { return }
    Task(executorPreference: core.commitLoop) { [core] in
      // If it fails, the others' next look at the database makes up for it.
      _ = try? await core.change(Statements.notify, [BatchWriting.hint(memory.id, memory.applied)])
    }
  }
}
