import KeyRecords
import Postgres

/// Looks users up: in memory, else in the database, into memory (``MemoryIndex`` says why that is right).
struct UserReading: Sendable {
  /// Users that are read by one statement.
  static let usersPerQuery = 50
  /// Statements of one request that are under way at a time.
  static let queriesAtOnce = 8
  /// What a user under way is taken to have, in bytes: a claim. Who has more may be read in vain.
  static let usualUserBytes = 1_024

  let core: RegistryCore
  let memory: AppMemory
  let follower: Follower
  /// One for each loop with connections; none where they themselves read.
  private let groups: [GroupedReads]

  init(core: RegistryCore, memory: AppMemory, follower: Follower) {
    let plain = UserReading(core: core, memory: memory, follower: follower, groups: [])
    let loops = core.readers.map(\.loop) + [core.commitLoop]
    self.init(
      core: core, memory: memory, follower: follower, groups: loops.map { GroupedReads(on: $0, plain) })
  }

  private init(core: RegistryCore, memory: AppMemory, follower: Follower, groups: [GroupedReads]) {
    self.core = core
    self.memory = memory
    self.follower = follower
    self.groups = groups
  }

  nonisolated(nonsending) func user(_ id: UserID) async throws(RegistryUnavailable) -> UserSnapshot? {
    switch core.index.look(memory.key(id)) {
    case .known(let snapshot): return try await current(snapshot)
    case .underWay(let fill): return try await current(fill.outcome().user(id))
    case .nothing:
      if let group { return try await current(group.read(id).outcome().user(id)) }
      return try await current(end(begin([id])).user(id))
    }
  }

  /// The group of the caller's loop, if it runs on one.
  var group: GroupedReads? {
    for group in groups where group.loop.isCurrent { return group }
    return nil
  }

  /// Reads a user whom memory has not, without a task.
  ///
  /// - Parameter completion: Told of the user, where the user is true now whatever the clock says and published: called
  ///   once, on this loop. Nil says nothing.
  /// - Returns: False, and `completion` is not called, where memory has the user, or off the loops.
  func read(
    _ id: UserID, _ completion: @escaping @Sendable (Result<UserSnapshot?, RegistryUnavailable>) -> Void
  ) -> Bool {
    guard let group else { return false }
    let fill: Fill
    switch core.index.look(memory.key(id)) {
    case .known: return false
    case .underWay(let other): fill = other
    case .nothing: fill = group.read(id)
    }
    fill.whenDone { [memory] outcome in
      let result = Result { () throws(RegistryUnavailable) in
        try outcome.user(id).flatMap { Self.isSettled($0, through: memory.applied) ? $0 : nil }
      }
      if group.loop.isCurrent { completion(result) } else { group.loop.execute { completion(result) } }
    }
    return true
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

  /// Gives users to what `makeSink` makes for them, as above; where memory is off, straight from the database.
  nonisolated(nonsending) func read<Sink: UserSink>(
    _ ids: [UserID], byteLimit: Int, into makeSink: (AsOf) -> Sink
  ) async throws(RegistryUnavailable) -> Sink {
    guard core.index.isEnabled else {
      let asOf = memory.asOf(now: try core.clock.now(notBefore: memory.lastAccepted))
      return try await UnkeptReading(
        ids, of: memory, through: asOf.index, core: core, byteLimit: byteLimit, into: makeSink(asOf)
      ).run()
    }
    let found = try await users(ids, byteLimit: byteLimit)
    let unread = Set(found.unread)
    var sink = makeSink(found.asOf)
    for id in ids {
      if let user = found.users[id] {
        sink.take(user)
      } else if unread.contains(id) {
        sink.takeUnread(id)
      } else {
        sink.takeUnknown(id)
      }
    }
    return sink
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
        add(try await current(snapshot))
      } else {
        missing.append(id)
      }
    }
    // Parts travel together, as far as there seems to be room for them.
    var rest = missing[...]
    var reads: [Read] = []
    while true {
      while !rest.isEmpty, reads.count < Self.queriesAtOnce,
        bytes + reads.count * Self.usersPerQuery * Self.usualUserBytes < byteLimit
      {
        reads.append(begin(Array(rest.prefix(Self.usersPerQuery))))
        rest = rest.dropFirst(Self.usersPerQuery)
      }
      guard !reads.isEmpty else { return (found, Array(rest)) }
      let read = reads.removeFirst()
      let users = await end(read)
      for id in read.ids { add(try await current(users.user(id))) }
    }
  }

  // MARK: At once

  func withRememberedHead<Result: Sendable>(_ id: UserID, _ body: (UserBlock) -> Result) -> Result? {
    // What is published meanwhile is beyond this index, and then the answer is another's to give.
    core.index.withHead(memory.key(id), through: memory.applied, body)
  }

  func remembered(_ ids: [UserID]) -> RememberedUsers? {
    guard core.index.isEnabled, let now = try? core.clock.now(notBefore: memory.lastAccepted) else { return nil }
    // First, so that nobody in memory lacks an entry up to it; who has one beyond it is of a later moment.
    let asOf = memory.asOf(now: now)
    return core.index.read(ids.map { memory.key($0) }, asOf: asOf)
  }

  /// Whether a snapshot is true whatever the clock says, and has nothing beyond an index.
  private static func isSettled(_ snapshot: UserSnapshot, through index: Int64) -> Bool {
    snapshot.validUntil == .max && snapshot.lastIndex <= index
  }

  // MARK: Now

  /// A snapshot that is true now, and has nothing that is not published.
  private nonisolated(nonsending) func current(
    _ snapshot: UserSnapshot?
  ) async throws(RegistryUnavailable) -> UserSnapshot? {
    guard let snapshot else { return nil }
    if snapshot.lastIndex > memory.applied { try await waitUntilApplied(snapshot.lastIndex) }
    if snapshot.validUntil == .max { return snapshot }
    let now = try core.clock.now(notBefore: memory.lastAccepted)
    if now < snapshot.validUntil { return snapshot }
    guard let settled = snapshot.settled(at: now) else { return snapshot }
    core.index.replace(with: settled, for: memory.key(snapshot.id))
    return settled
  }

  private nonisolated(nonsending) func waitUntilApplied(_ index: Int64) async throws(RegistryUnavailable) {
    try await memory.waitUntilApplied(index) { follower.catchUp(memory) }
  }

  // MARK: Reading the database

  /// Users that are read from the database, by whom ever.
  private struct Read {
    let ids: [UserID]
    let own: Fill?
    let others: [(UserID, Fill)]
  }

  /// Notes that a user is read; gives the read that was noted before, if there is one.
  func note(_ id: UserID, _ fill: Fill) -> Fill? { core.index.begin(fill, for: memory.key(id)) }

  /// Sends for users; those that somebody else reads already are not asked for again.
  ///
  /// It goes to its end whatever becomes of the caller: others may wait for it.
  private func begin(_ ids: [UserID]) -> Read {
    let fill = Fill()
    var own: [UserID] = []
    var others: [(UserID, Fill)] = []
    for id in ids {
      if let other = note(id, fill) { others.append((id, other)) } else { own.append(id) }
    }
    guard !own.isEmpty else { return Read(ids: ids, own: nil, others: others) }
    ask(for: own, fill)
    return Read(ids: ids, own: fill, others: others)
  }

  /// Sends for users who are noted, all by one statement; `whenAnswered` is told when it has been answered.
  func ask(for ids: [UserID], _ fill: Fill, whenAnswered: @escaping @Sendable () -> Void = {}) {
    core.reader.pool.ask(Statements.readUsers, [.text(memory.id.text), .textArray(ids.map(\.text))]) { answer in
      arrived(answer, of: ids, fill)
      whenAnswered()
    }
  }

  private nonisolated(nonsending) func end(_ read: Read) async -> Fill.Outcome {
    var outcome = await read.own?.outcome() ?? Fill.Outcome()
    for (id, other) in read.others {
      do throws(RegistryUnavailable) {
        outcome.users[id] = try await other.outcome().user(id)
      } catch {
        outcome.failures[id] = error
      }
    }
    return outcome
  }

  /// On the loop that asked.
  private func arrived(_ answer: Result<PostgresRows, PostgresError>, of ids: [UserID], _ fill: Fill) {
    do {
      let rows = try answer.get()
      let policyIndex = try rows.isEmpty ? -1 : rows[0].int64(0)
      guard policyIndex > memory.policyIndex else { return complete(rows, of: ids, fill) }
      // Rare: another instance has a policy that is not known here yet.
      Task {
        do throws(RegistryUnavailable) {
          try await waitUntilApplied(policyIndex)
          complete(rows, of: ids, fill)
        } catch {
          abandon(ids, fill, error)
        }
      }
    } catch {
      abandon(ids, fill, core.unavailable(error))
    }
  }

  private func complete(_ rows: PostgresRows, of ids: [UserID], _ fill: Fill) {
    do {
      let found = try entries(rows)
      var users: [UserID: UserSnapshot] = [:]
      users.reserveCapacity(ids.count)
      for id in ids {
        let read = found[id].flatMap { UserSnapshot(app: memory.id, id, entries: $0) }
        if read == nil, let entry = found[id]?.first { throw RegistryCore.tampered(entry.stored.index) }
        users[id] = core.index.complete(memory.key(id), read, fresh: { UserSnapshot(app: memory.id, id, entries: $0) })
      }
      fill.finish(Fill.Outcome(users: users))
    } catch {
      if ids.count == 1 { abandon(ids, fill, core.unavailable(error)) } else { readEach(ids, fill) }
    }
  }

  /// Reads each user alone, where something that was read together cannot be understood: it is one user's.
  private func readEach(_ ids: [UserID], _ fill: Fill) {
    for id in ids { core.index.abandon(memory.key(id), fill) }
    Task {
      var outcome = Fill.Outcome()
      for id in ids {
        do throws(RegistryUnavailable) {
          outcome.users[id] = try await end(begin([id])).user(id)
        } catch {
          outcome.failures[id] = error
        }
      }
      fill.finish(outcome)
    }
  }

  private func abandon(_ ids: [UserID], _ fill: Fill, _ error: RegistryUnavailable) {
    for id in ids { core.index.abandon(memory.key(id), fill) }
    fill.finish(Fill.Outcome(failures: Dictionary(ids.map { ($0, error) }) { first, _ in first }))
  }

  private func entries(_ rows: PostgresRows) throws -> [UserID: [JudgedEntry]] {
    let policies = memory.picture.policies
    var found: [UserID: [JudgedEntry]] = [:]
    found.reserveCapacity(rows.count)
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
