import KeyRecords
import Synchronization

/// What memory has of an app beside its users, and how far its picture goes (``MemoryIndex``).
///
/// It is changed on the commit loop only, by ``publish(_:whole:userCount:index:)``.
final class AppMemory: Sendable {
  typealias Handler = @Sendable (FeedBatch) -> Void

  /// Everything of one moment.
  struct Picture: Sendable {
    /// Every entry up to here is in the picture.
    var index: Int64
    var policies: AppHistory
    var policyEntries: [StoredEntry]
    var userCount: Int64
    var lastAccepted: Milliseconds

    /// Without a policy nobody can say who may read.
    var isForMembers: Bool { policies.current?.rules.recordRead != .public }
  }

  private struct Waiter {
    let index: Int64
    let number: Int
    let continuation: CheckedContinuation<Result<Void, RegistryUnavailable>, Never>
  }

  private struct State {
    var picture: Picture
    var vouchedAt: Milliseconds
    var handlers: [Int: Handler] = [:]
    var waiters: [Waiter] = []
    var nextNumber = 0
  }

  /// How long the registry's time may go on without word from the database (``AsOf/time``).
  private static let vouchingWindow: Milliseconds = 60_000

  let id: AppID
  /// Stands for the app in the keys of the index.
  let number: Int32
  /// The index of the last entry that is published.
  private let appliedIndex: Atomic<Int64>
  /// Whether the policy of the picture keeps what is read to members.
  private let membersOnly: Atomic<Bool>
  private let state: Mutex<State>

  init(id: AppID, number: Int32, picture: Picture, now: Milliseconds) {
    self.id = id
    self.number = number
    appliedIndex = Atomic(picture.index)
    membersOnly = Atomic(picture.isForMembers)
    state = Mutex(State(picture: picture, vouchedAt: now))
  }

  var applied: Int64 { appliedIndex.load(ordering: .acquiring) }
  var isForMembers: Bool { membersOnly.load(ordering: .acquiring) }
  var picture: Picture { state.withLock { $0.picture } }
  /// The index of the newest policy of the picture; -1 without one.
  var policyIndex: Int64 { state.withLock { $0.picture.policies.entries.last?.index ?? -1 } }
  var lastAccepted: Milliseconds { state.withLock { $0.picture.lastAccepted } }

  func key(_ user: UserID) -> MemoryShard.Key { MemoryShard.Key(app: number, user: user) }

  // MARK: Time

  /// Says that at this time nothing was known to the database beyond the picture.
  func vouch(at time: Milliseconds) { state.withLock { $0.vouchedAt = max($0.vouchedAt, time) } }

  /// Up to where the picture is complete.
  func asOf(now: Milliseconds) -> AsOf {
    state.withLock { state in
      let time = min(now, state.vouchedAt + Self.vouchingWindow)
      return AsOf(index: state.picture.index, time: max(time, state.picture.lastAccepted))
    }
  }

  // MARK: Publishing

  /// Takes committed entries into the picture, tells subscribers, and lets go on who waits for them. On the commit loop.
  ///
  /// Entries that are in the picture already are passed over. False, and nothing is done, if they leave a gap.
  func publish(
    _ entries: [StoredEntry], whole: [UserID: UserSnapshot], userCount: Int64?, index: MemoryIndex
  ) -> Bool {
    var picture = picture
    let new = entries.drop { $0.index <= picture.index }
    guard let first = new.first, let last = new.last else { return true }
    guard first.index == picture.index + 1, last.index - first.index == Int64(new.count - 1) else { return false }
    var byUser: [UserID: [JudgedEntry]] = [:]
    for entry in new {
      if let subject = entry.subject {
        guard let rules = picture.policies.current?.rules else { return false }
        byUser[subject, default: []].append(JudgedEntry(stored: entry, policy: rules))
      } else if let policy = entry.opened(app: id) {
        picture.policies.append(policy)
        picture.policyEntries.append(entry)
      }
    }
    picture.index = last.index
    picture.lastAccepted = max(picture.lastAccepted, last.accepted)
    picture.userCount = userCount ?? picture.userCount
    for (user, entries) in byUser {
      index.publish(
        entries, of: key(user), whole: whole[user],
        fresh: { UserSnapshot(app: self.id, user, entries: $0) })
    }
    raise(to: picture, with: new)
    return true
  }

  private func raise(to picture: Picture, with entries: ArraySlice<StoredEntry>) {
    let (handlers, ready) = state.withLock { state in
      state.picture = picture
      membersOnly.store(picture.isForMembers, ordering: .releasing)
      appliedIndex.store(picture.index, ordering: .releasing)
      let ready = state.waiters.filter { $0.index <= picture.index }
      if !ready.isEmpty { state.waiters.removeAll { $0.index <= picture.index } }
      return (state.handlers.sorted { $0.key < $1.key }.map(\.value), ready)
    }
    for waiter in ready { waiter.continuation.resume(returning: .success(())) }
    if handlers.isEmpty { return }
    let items = entries.map { FeedBatch.Item(index: $0.index, subject: $0.subject, text: $0.text) }
    let batch = FeedBatch(app: id, items: items)
    for handler in handlers { handler(batch) }
  }

  // MARK: Waiting

  /// Waits until everything up to an index is published; `ask` sees to it that it will be.
  nonisolated(nonsending) func waitUntilApplied(
    _ index: Int64, asking ask: () -> Void
  ) async throws(RegistryUnavailable) {
    if applied >= index { return }
    let outcome = await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.picture.index >= index { return true }
        state.waiters.append(Waiter(index: index, number: state.nextNumber, continuation: continuation))
        state.nextNumber += 1
        return false
      }
      if isThere { continuation.resume(returning: .success(())) } else { ask() }
    }
    try outcome.get()
  }

  /// A mark: who begins to wait later has a larger number.
  var waiterMark: Int { state.withLock { $0.nextNumber } }

  /// Lets go who began to wait before a mark, in vain.
  func failWaiters(before mark: Int, _ error: RegistryUnavailable) {
    let failed = state.withLock { state in
      defer { state.waiters.removeAll { $0.number < mark } }
      return state.waiters.filter { $0.number < mark }
    }
    for waiter in failed { waiter.continuation.resume(returning: .failure(error)) }
  }

  // MARK: The feed

  func subscribe(_ handler: @escaping Handler) -> FeedSubscription {
    let (number, index) = state.withLock { state in
      defer { state.nextNumber += 1 }
      state.handlers[state.nextNumber] = handler
      return (state.nextNumber, state.picture.index)
    }
    return FeedSubscription(startIndex: index) { [weak self] in
      self?.state.withLock { _ = $0.handlers.removeValue(forKey: number) }
    }
  }
}
