import KeyRecords
import RegistryClient
import Synchronization

/// Puts objects into the quarantine from several threads, and counts them.
final class WaitingObjects: Sendable {
  private struct Tally {
    var count = 0
    var dropped = 0
    var failure: StoreFailure?
  }

  private let store: any RegistryStore
  private let tally = Mutex(Tally())

  init(_ store: any RegistryStore) { self.store = store }

  /// Keeps objects apart. A failure is remembered: the verdicts are right without it.
  func add(_ objects: [QuarantinedObject]) async {
    guard !objects.isEmpty else { return }
    do throws(StoreFailure) {
      let dropped = try await store.quarantine(objects, limits: QuarantineLimits(), now: SystemClock().now())
      tally.withLock {
        $0.count += objects.count
        $0.dropped += dropped
      }
    } catch {
      tally.withLock { $0.failure = error }
    }
  }

  /// What came of it, for people.
  func summary() throws -> String {
    let tally = tally.withLock { $0 }
    if let failure = tally.failure { throw CommandFailure("not all could be put into the quarantine: \(failure)") }
    return "note: \(tally.count) objects were put into the quarantine"
      + (tally.dropped > 0 ? ", and it had to drop \(tally.dropped), these or older ones" : "")
  }
}
