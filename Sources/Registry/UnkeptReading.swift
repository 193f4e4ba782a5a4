import Cryptography
import KeyRecords
import Postgres
import Synchronization

/// Reads users from the database for one answer, without keeping them: what becomes of the answer is written straight
/// from the rows.
///
/// It needs no note in the ``MemoryIndex``. The database is asked after the index of the answer was taken, so it has
/// every entry up to that index, as these were committed before they were published; what it has beyond that index is
/// left out. So the answer is the picture of that index, whatever is published meanwhile, and of a history that only
/// grows.
final class UnkeptReading<Sink: UserSink>: Sendable {
  /// Users that are read by one statement. Sorting and sending fewer rows at a time is cheaper for Postgres, as they stay
  /// in the processor's cache; sending fewer statements is cheaper for all else.
  private static var usersPerQuery: Int { 125 }

  private struct State {
    var sink: Sink
    /// How many of the ids have been asked for.
    var asked = 0
    /// Statements without an answer.
    var underWay = 0
    var failure: RegistryUnavailable?
    var continuation: CheckedContinuation<Result<Sink, RegistryUnavailable>, Never>?
  }

  private let core: RegistryCore
  private let app: AppID
  private let pool: PostgresPool
  /// Up to where the answer is complete.
  private let index: Int64
  /// Those that were in force at an index up to that one, and perhaps newer ones.
  private let policies: AppHistory
  /// Every entry after it was judged under some policy.
  private let firstPolicyIndex: Int64
  /// In their order, each once.
  private let ids: [UserID]
  private let byteLimit: Int
  private let state: Mutex<State>

  /// - Parameters:
  ///   - index: What was published when this is made.
  ///   - ids: Each once.
  init(
    _ ids: [UserID], of memory: AppMemory, through index: Int64, core: RegistryCore, byteLimit: Int, into sink: Sink
  ) {
    self.core = core
    app = memory.id
    pool = core.reader.pool
    self.index = index
    policies = memory.picture.policies
    firstPolicyIndex = policies.entries.first?.index ?? .max
    self.ids = ids.sorted()
    self.byteLimit = byteLimit
    state = Mutex(State(sink: sink))
  }

  /// Reads all of them, as far as there is room.
  nonisolated(nonsending) func run() async throws(RegistryUnavailable) -> Sink {
    let outcome = await withCheckedContinuation { continuation in
      state.withLock { $0.continuation = continuation }
      goOn()
    }
    return try outcome.get()
  }

  /// Asks for what there is room for; ends when nothing is left to ask or to wait for.
  private func goOn() {
    let (parts, end) = state.withLock { state in
      var parts: [Range<Int>] = []
      while state.failure == nil, state.asked < ids.count, state.underWay < UserReading.queriesAtOnce,
        state.sink.recordBytes + state.underWay * Self.usersPerQuery * UserReading.usualUserBytes < byteLimit
      {
        let part = state.asked..<min(state.asked + Self.usersPerQuery, ids.count)
        parts.append(part)
        state.asked = part.upperBound
        state.underWay += 1
      }
      return (parts, state.underWay == 0 ? state.continuation.take() : nil)
    }
    for part in parts { ask(part) }
    end?.resume(returning: outcome())
  }

  private func outcome() -> Result<Sink, RegistryUnavailable> {
    state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      for id in ids[state.asked...] { state.sink.takeUnread(id) }
      return .success(state.sink)
    }
  }

  private func ask(_ part: Range<Int>) {
    var array = PostgresTextArray(capacity: part.count * (UserID.oldCount + 4))
    for id in ids[part] { array.append { id.append(to: &$0) } }
    pool.ask(Statements.readUsers, [.text(app.text), .encodedTextArray(array)]) { answer in
      self.arrived(answer, of: part)
    }
  }

  private func arrived(_ answer: Result<PostgresRows, PostgresError>, of part: Range<Int>) {
    state.withLock { state in
      state.underWay -= 1
      guard state.failure == nil else { return }
      do {
        try take(try answer.get(), of: ids[part], into: &state.sink)
      } catch {
        state.failure = core.unavailable(error)
      }
    }
    goOn()
  }

  // MARK: Rows

  /// Where the columns of an entry begin.
  private static var entryColumn: Int { 1 }
  private static var subjectColumn: Int { entryColumn + StoredEntry.subjectColumn }

  /// Gives the users of a part to the sink. Rows come in the order of subjects, as ids do, and then of indexes.
  private func take(_ rows: PostgresRows, of ids: ArraySlice<UserID>, into sink: inout Sink) throws(PostgresError) {
    var place = ids.startIndex
    var next = 0
    // One row without entry says that none of them has any.
    if !rows.isEmpty, try rows[0].isNull(Self.entryColumn) { next = rows.count }
    while next < rows.count {
      let first = next
      while place < ids.endIndex, try !isEntry(rows[first], of: ids[place]) {
        sink.takeUnknown(ids[place])
        place += 1
      }
      guard place < ids.endIndex else {
        throw PostgresError(.unexpectedResult, "the database has users in another order than was asked for")
      }
      next += 1
      while next < rows.count, try isEntry(rows[next], of: ids[place]) { next += 1 }
      try take(ids[place], rows[first..<next], into: &sink)
      place += 1
    }
    for id in ids[place...] { sink.takeUnknown(id) }
  }

  private func isEntry(_ row: PostgresRow, of id: UserID) throws(PostgresError) -> Bool {
    try row.withBytes(Self.subjectColumn) { id.isMade(of: $0) }
  }

  private func take(_ id: UserID, _ rows: Slice<PostgresRows>, into sink: inout Sink) throws(PostgresError) {
    if rows.count == 1, try takeClaim(id, rows[rows.startIndex], into: &sink) { return }
    var entries: [JudgedEntry] = []
    for row in rows {
      let entry = try StoredEntry(row, from: Self.entryColumn)
      if entry.index > index { break }
      guard let policy = policies.policy(before: entry.index) else { throw RegistryCore.tampered(entry.index) }
      entries.append(JudgedEntry(stored: entry, policy: policy.rules))
    }
    guard let first = entries.first else { return sink.takeUnknown(id) }
    guard let user = UserSnapshot(app: app, id, entries: entries) else {
      throw RegistryCore.tampered(first.stored.index)
    }
    sink.take(user)
  }

  /// Takes a user with one entry, if that is an ordinary claim; false without having done anything if it is not.
  private func takeClaim(_ id: UserID, _ row: PostgresRow, into sink: inout Sink) throws(PostgresError) -> Bool {
    guard let claim = try ClaimEntry(row, from: Self.entryColumn), claim.index <= index, claim.index > firstPolicyIndex
    else { return false }
    return try row.withBytes(Self.entryColumn + StoredEntry.recordColumn) { record in
      guard StoredEntry.isObject(record) else { return false }
      sink.take(id, claim: claim, record: record)
      return true
    }
  }
}

extension ClaimEntry {
  /// Columns of a row, in the order of ``Statements/entryColumns``; nil for what is in force never.
  fileprivate init?(_ row: PostgresRow, from column: Int) throws(PostgresError) {
    guard let effective = try row.optionalInt64(column + 2) else { return nil }
    self.effective = effective
    index = try row.int64(column)
    accepted = try row.int64(column + 1)
    rank = try row.optionalInt64(column + 3)
    hash = try StoredEntry.hash(row, column + StoredEntry.hashColumn)
  }
}

extension UserID {
  /// Whether these are its characters.
  fileprivate func isMade(of characters: Span<UInt8>) -> Bool {
    withCharacters { own in
      guard own.count == characters.count else { return false }
      for index in own.indices where own[index] != characters[index] { return false }
      return true
    }
  }
}
