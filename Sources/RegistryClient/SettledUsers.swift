import KeyRecords
import Synchronization

/// What was decided of users, for as long as it would be decided again: answers from here take no actor and no store.
///
/// An answer is given while it is fresh and nothing that it rests on has changed. A decision that was begun before such a
/// change is not kept; what is missing here is merely decided anew.
final class SettledUsers: Sendable {
  /// A decision, and the times between which it holds.
  struct Settled: Sendable {
    let user: ResolvedUser
    let times: Range<Milliseconds>
  }

  private struct State {
    var users: [UserID: Settled] = [:]
    var bytes = 0
    var changes: UInt64 = 0
    /// The last change of users by their hash: exact enough, and bounded.
    var lastChanges = [UInt64](repeating: 0, count: Self.stripes)

    private static let stripes = 256

    mutating func remove(_ user: UserID) {
      if let old = users.removeValue(forKey: user) { bytes -= old.user.judged.byteCount }
    }

    func hasChanged(_ user: UserID, since changes: UInt64) -> Bool { lastChanges[Self.stripe(user)] > changes }

    mutating func noteChange(of user: UserID) {
      changes += 1
      lastChanges[Self.stripe(user)] = changes
    }

    private static func stripe(_ user: UserID) -> Int { Int(UInt(bitPattern: user.hashValue) % UInt(stripes)) }
  }

  private let state = Mutex(State())
  private let maxCount: Int
  private let maxBytes: Int

  init(maxCount: Int, maxBytes: Int) {
    self.maxCount = maxCount
    self.maxBytes = maxBytes
  }

  /// How often something has changed.
  var changes: UInt64 { state.withLock { $0.changes } }

  func user(_ user: UserID, at now: Milliseconds) -> ResolvedUser? {
    state.withLock { state in
      guard let settled = state.users[user], settled.times.contains(now) else { return nil }
      return settled.user
    }
  }

  /// Those of `users` who are settled, and the others.
  func divide(_ users: Set<UserID>, at now: Milliseconds) -> (known: [UserID: Resolution], left: Set<UserID>) {
    state.withLock { state in
      var known = [UserID: Resolution](minimumCapacity: users.count)
      var left: Set<UserID> = []
      for user in users {
        if let settled = state.users[user], settled.times.contains(now) {
          known[user] = .user(settled.user)
        } else {
          left.insert(user)
        }
      }
      return (known, left)
    }
  }

  /// What rests on the pins of these users is to be decided anew.
  func forget(_ users: Set<UserID>) {
    state.withLock { state in
      for user in users {
        state.noteChange(of: user)
        state.remove(user)
      }
    }
  }

  /// Keeps what was decided of users, but for those of whom something has changed since `changes` was read. Those without
  /// a decision that holds for a while are forgotten.
  func settle(_ decided: [UserID: Settled?], since changes: UInt64) {
    state.withLock { state in
      let changed = decided.keys.filter { state.hasChanged($0, since: changes) }
      for (user, settled) in decided {
        let isNews = state.users[user].map { $0.user.judged.isSame(as: settled?.user.judged) } != true
        // A decision that is under way, and rests on what was known before, must not take the place of this one.
        if isNews { state.noteChange(of: user) }
        state.remove(user)
        guard let settled else { continue }
        if state.users.count >= maxCount || state.bytes + settled.user.judged.byteCount > maxBytes {
          (state.users, state.bytes) = ([:], 0)
        }
        state.users[user] = settled
        state.bytes += settled.user.judged.byteCount
      }
      for user in changed { state.remove(user) }
    }
  }
}
