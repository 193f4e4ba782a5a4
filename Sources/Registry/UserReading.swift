import KeyRecords
import Postgres

/// Looks users up: in memory, else in the database, into memory (``MemoryIndex`` says why that is right).
struct UserReading: Sendable {
  /// Users that are read by one statement.
  static let usersPerQuery = 50

  let core: RegistryCore
  let memory: AppMemory
  let follower: Follower

  nonisolated(nonsending) func user(_ id: UserID) async throws(RegistryUnavailable) -> UserSnapshot? {
    let key = memory.key(id)
    switch core.index.look(key) {
    case .known(let snapshot): return try await current(snapshot, key)
    case .underWay(let fill): return try await current(fill.users()[id], key)
    case .nothing: return try await current(read([id])[id], key)
    }
  }

  /// Users, with all entries up to some index that all of them share: each that memory has, then the others by few
  /// queries, until the entries take `byteLimit` bytes; the rest is left out of both results.
  nonisolated(nonsending) func users(
    _ ids: [UserID], byteLimit: Int
  ) async throws(RegistryUnavailable) -> ResolvedUsers {
    while true {
      let now = try core.clock.now(notBefore: memory.lastAccepted)
      let asOf = memory.asOf(now: now)
      let (found, unread) = try await gather(ids, byteLimit: byteLimit)
      // Something was published meanwhile: with that, the answer is of no one moment.
      guard let newest = found.values.map(\.lastIndex).max(), newest > asOf.index else {
        return ResolvedUsers(asOf: asOf, users: found, unread: unread)
      }
      try await waitUntilApplied(newest)
    }
  }

  private nonisolated(nonsending) func gather(
    _ ids: [UserID], byteLimit: Int
  ) async throws(RegistryUnavailable) -> (found: [UserID: UserSnapshot], unread: [UserID]) {
    var found: [UserID: UserSnapshot] = [:]
    var missing: [UserID] = []
    var bytes = 0
    func add(_ snapshot: UserSnapshot?) {
      guard let snapshot else { return }
      found[snapshot.id] = snapshot
      bytes += snapshot.entries.reduce(0) { $0 + $1.recordCount }
    }
    for id in ids {
      if case .known(let snapshot) = core.index.look(memory.key(id)) {
        add(try await current(snapshot, memory.key(id)))
      } else {
        missing.append(id)
      }
    }
    while !missing.isEmpty, bytes < byteLimit {
      let part = Array(missing.prefix(Self.usersPerQuery))
      missing.removeFirst(part.count)
      let users = try await read(part)
      for id in part { add(try await current(users[id], memory.key(id))) }
    }
    return (found, missing)
  }

  // MARK: At once

  func withRememberedHead<Result: Sendable>(_ id: UserID, _ body: (borrowing StoredHead) -> Result) -> Result? {
    // What is published meanwhile is beyond this index, and then the answer is another's to give.
    core.index.withHead(memory.key(id), through: memory.applied, body)
  }

  func remembered(_ ids: [UserID]) -> (asOf: AsOf, users: [UserSnapshot?])? {
    guard let now = try? core.clock.now(notBefore: memory.lastAccepted) else { return nil }
    // First, so that nobody in memory lacks an entry up to it; who has one beyond it is of a later moment.
    let asOf = memory.asOf(now: now)
    guard let users = core.index.glance(ids.map { memory.key($0) }) else { return nil }
    for case let user? in users where !isSettled(user, through: asOf.index) { return nil }
    core.index.countHits(ids.count)
    return (asOf, users)
  }

  /// Whether a snapshot is true whatever the clock says, and has nothing beyond an index.
  private func isSettled(_ snapshot: UserSnapshot, through index: Int64) -> Bool {
    snapshot.validUntil == .max && snapshot.lastIndex <= index
  }

  // MARK: Now

  /// A snapshot that is true now, and has nothing that is not published.
  private nonisolated(nonsending) func current(
    _ snapshot: UserSnapshot?, _ key: MemoryShard.Key
  ) async throws(RegistryUnavailable) -> UserSnapshot? {
    guard let snapshot else { return nil }
    if snapshot.lastIndex > memory.applied { try await waitUntilApplied(snapshot.lastIndex) }
    if snapshot.validUntil == .max { return snapshot }
    let now = try core.clock.now(notBefore: memory.lastAccepted)
    if now < snapshot.validUntil { return snapshot }
    guard let settled = snapshot.settled(at: now) else { return snapshot }
    core.index.replace(with: settled, for: key)
    return settled
  }

  private nonisolated(nonsending) func waitUntilApplied(_ index: Int64) async throws(RegistryUnavailable) {
    try await memory.waitUntilApplied(index) { follower.catchUp(memory) }
  }

  // MARK: Reading the database

  /// Reads users; those that somebody else reads already are waited for.
  private nonisolated(nonsending) func read(_ ids: [UserID]) async throws(RegistryUnavailable) -> [UserID: UserSnapshot]
  {
    let fill = Fill()
    var own: [UserID] = []
    var others: [(UserID, Fill)] = []
    for id in ids {
      if let other = core.index.begin(fill, for: memory.key(id)) { others.append((id, other)) } else { own.append(id) }
    }
    // To its end, even if this caller's task is cancelled: others may wait for it.
    if !own.isEmpty { await run(fill, own) }
    var users = own.isEmpty ? [:] : try await fill.users()
    for (id, other) in others { users[id] = try await other.users()[id] }
    return users
  }

  private nonisolated(nonsending) func run(_ fill: Fill, _ ids: [UserID]) async {
    do throws(RegistryUnavailable) {
      let found = try await readRows(ids)
      var users: [UserID: UserSnapshot] = [:]
      for id in ids {
        let read = found[id].flatMap { UserSnapshot(app: memory.id, id, entries: $0) }
        if read == nil, let entry = found[id]?.first {
          throw core.unavailable(RegistryCore.tampered(entry.stored.index))
        }
        users[id] = core.index.complete(
          memory.key(id), read, fresh: { UserSnapshot(app: memory.id, id, entries: $0) })
      }
      fill.finish(.success(users))
    } catch {
      for id in ids { core.index.abandon(memory.key(id), fill) }
      fill.finish(.failure(error))
    }
  }

  private nonisolated(nonsending) func readRows(
    _ ids: [UserID]
  ) async throws(RegistryUnavailable) -> [UserID: [JudgedEntry]] {
    let rows = try await core.query(
      Statements.readUsers, [.text(memory.id.text), .textArray(ids.map(\.text))], isForOthers: true)
    guard !rows.isEmpty else { return [:] }
    let policyIndex = try core.unavailable { try rows[0].int64(0) }
    let known = memory.picture.policies.entries.last?.index ?? -1
    if policyIndex > known { try await waitUntilApplied(policyIndex) }
    let policies = memory.picture.policies
    return try core.unavailable {
      var found: [UserID: [JudgedEntry]] = [:]
      for row in rows where try !row.isNull(1) {
        let entry = try StoredEntry(row, from: 1)
        guard let subject = entry.subject, let policy = policies.policy(before: entry.index) else {
          throw RegistryCore.tampered(entry.index)
        }
        found[subject, default: []].append(JudgedEntry(stored: entry, policy: policy.rules))
      }
      return found
    }
  }
}
