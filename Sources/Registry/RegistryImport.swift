import Cryptography
public import KeyRecords
import PeerstackFormat
public import Postgres

/// Why an import was refused. Nothing of it is in the database.
public struct ImportError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The line, from 1; nil where it is about all of them.
  public let line: Int?
  /// What is wrong, as a sentence for people.
  public let reason: String

  /// Everything in one line.
  public var description: String { line.map { "line \($0): \(reason)" } ?? reason }
}

extension Registry {
  /// Puts the entries of an export into an app that does not exist yet: each is judged, and keeps its index and times.
  /// All or nothing, in one transaction.
  ///
  /// Nonces of invitations are in no entry: those that were used before can be used again until the invitations expire.
  ///
  /// - Parameters:
  ///   - lines: JSON texts of entries in the order of their indexes, from 0; read as they are needed.
  ///   - now: The time, which no entry may be ahead of; the system's unless given.
  /// - Returns: how many there were.
  /// - Throws: ``ImportError``, or `PostgresError` if the database is away.
  public static func importEntries(
    _ lines: some Sequence<[UInt8]>, app: AppID, postgres: PostgresConfiguration, loop: any PostgresLoop,
    now: Milliseconds = SystemClock.now
  ) async throws -> Int64 {
    let session = PostgresSession(configuration: serviceConfiguration(postgres), loop: loop)
    defer { session.close() }
    return try await session.transaction { transaction in
      var work = ImportWork(app: app, now: now)
      try await work.begin(transaction)
      var chunk: [[UInt8]] = []
      for line in lines {
        chunk.append(line)
        guard chunk.count == ImportWork.chunkLines else { continue }
        try await work.take(chunk, transaction)
        chunk = []
      }
      try await work.take(chunk, transaction)
      return try await work.finish(transaction)
    }
  }
}

/// An import under way.
struct ImportWork {
  /// Lines that are judged and stored at once.
  static let chunkLines = 500

  private let app: AppID
  private let now: Milliseconds
  private var policies: AppHistory
  private var lineCount = 0
  private var nextIndex: Int64 = 0
  private var lastAccepted: Milliseconds = 0
  private var userCount: Int64 = 0

  init(app: AppID, now: Milliseconds) {
    self.app = app
    self.now = now
    policies = AppHistory(app: app)
  }

  private var name: PostgresValue { .text(app.text) }

  nonisolated(nonsending) func begin(_ transaction: PostgresTransaction) async throws {
    let answers = try await transaction.queryAll([
      (Statements.insertApp, [name, .int8(now)]), (Statements.lockApp, [name]),
    ])
    guard answers[0].affectedCount == 1 else {
      throw ImportError(line: nil, reason: "the app \(app) exists already: import into an empty registrar")
    }
  }

  nonisolated(nonsending) mutating func take(_ lines: [[UInt8]], _ transaction: PostgresTransaction) async throws {
    let entries = try lines.map { try read($0) }
    let users = Set(entries.compactMap(\.content.subject))
    let keys = Set(entries.compactMap { $0.record?.publicKey })
    let answers = try await transaction.queryAll([
      (Statements.histories, [name, .textArray(users.map(\.text))]),
      (Statements.usedKeys, [name, .byteaArray(keys.map(\.bytes))]),
    ])
    var histories = try histories(answers[0])
    var owners = try BatchReading.owners(answers[1])
    var gain = Gain(app: app)
    lineCount -= entries.count
    for entry in entries {
      lineCount += 1
      let count = entry.content.subject.flatMap { histories[$0]?.count } ?? 0
      try judge(entry, &histories)
      try noteKey(of: entry, &owners, &gain)
      gain.add(entry, countBefore: count)
    }
    try await transaction.queryAll(BatchWriting.statements(gain, userCount: userCount))
    userCount += gain.newUserCount
  }

  nonisolated(nonsending) func finish(_ transaction: PostgresTransaction) async throws -> Int64 {
    guard nextIndex > 0 else { throw ImportError(line: nil, reason: "there are no entries") }
    try await transaction.commit()
    return nextIndex
  }

  private mutating func read(_ line: [UInt8]) throws(ImportError) -> Entry {
    lineCount += 1
    guard let value = try? JSONValue.parseStrict(line) else {
      throw fail("it is not one JSON value of the strict kind")
    }
    switch Entry.verify(value, app: app) {
    case .failure(let refusal): throw fail("it is refused: \(refusal.code.rawValue)")
    case .success(let entry):
      guard entry.index == nextIndex else { throw fail("the index is \(entry.index), not \(nextIndex)") }
      guard entry.accepted >= lastAccepted else { throw fail("it was accepted before the entry before it") }
      guard entry.accepted <= now + Limits.clockSkew else { throw fail("it was accepted in the future: set the clock") }
      nextIndex += 1
      lastAccepted = entry.accepted
      return entry
    }
  }

  private mutating func judge(_ entry: Entry, _ histories: inout [UserID: KeyHistory]) throws(ImportError) {
    if case .policy(let policy) = entry.content {
      guard case .accepted(let acceptance) = policies.judge(policy, at: entry.accepted),
        acceptance.effective == entry.effective, entry.rank == nil
      else { throw fail("the rules refuse the policy, or its effect") }
      policies.append(entry)
      return
    }
    guard let policy = policies.current, let subject = entry.content.subject else {
      throw fail("the first entry is no policy")
    }
    do throws(ReplayConflict) {
      try histories[subject, default: KeyHistory(app: app, subject: subject)].replay(entry, under: policy.rules)
    } catch {
      throw fail(error.reason)
    }
  }

  /// §5.10 across users, which a replay of one user does not see.
  private func noteKey(
    of entry: Entry, _ owners: inout BatchReading.Owners, _ gain: inout Gain
  ) throws(ImportError) {
    guard let record = entry.record, record.action.bringsKey else { return }
    let isForeign = owners[record.publicKey]?.contains { $0 != record.subject } ?? false
    if isForeign, !BoundID.isBound(record) { throw fail("its key was another user's") }
    if owners[record.publicKey, default: []].insert(record.subject).inserted {
      gain.usedKeys.append(Gain.UsedKey(key: record.publicKey, subject: record.subject, index: entry.index))
    }
  }

  private func histories(_ rows: PostgresRows) throws -> [UserID: KeyHistory] {
    var histories: [UserID: KeyHistory] = [:]
    for row in rows {
      let stored = try StoredEntry(row)
      guard let entry = stored.opened(app: app), let subject = stored.subject,
        let policy = policies.policy(before: stored.index)
      else { throw RegistryCore.tampered(stored.index) }
      histories[subject, default: KeyHistory(app: app, subject: subject)].append(entry, under: policy.rules)
    }
    return histories
  }

  private func fail(_ reason: String) -> ImportError { ImportError(line: lineCount, reason: reason) }
}
