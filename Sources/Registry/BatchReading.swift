import Cryptography
import KeyRecords
import Logging
import Postgres
import RegistryAPI

/// Reads, under the lock of the app, what a batch is judged by: in one round trip.
struct BatchReading: Sendable {
  /// What was found.
  struct Picture: Sendable {
    /// Ready to judge.
    let judge: BatchJudge
    /// Entries that memory has not published yet.
    let gap: [StoredEntry]
    /// How many users the app had.
    let userCount: Int64
  }

  let bodies: [SubmissionBody]
  let core: RegistryCore
  let memory: AppMemory

  nonisolated(nonsending) func read(_ transaction: PostgresTransaction) async throws -> Picture {
    // The picture first, then the users: what memory has of a user is never older than its picture of the app.
    let picture = memory.picture
    var remembered: [UserID: UserSnapshot] = [:]
    var unknown: [UserID] = []
    for user in Set(bodies.compactMap(\.submission.subject)) {
      if case .some(.some(let snapshot)) = core.index.peek(memory.key(user)) {
        remembered[user] = snapshot
      } else {
        unknown.append(user)
      }
    }
    let app = PostgresValue.text(memory.id.text)
    let keys = Set(bodies.compactMap(BatchJudge.key)).map(\.bytes)
    let nonces = Array(Set(bodies.compactMap(BatchJudge.nonce)))
    let answers = try await transaction.queryAll([
      (Statements.lockApp, [app]),
      (Statements.entriesAfter, [app, .int8(picture.index), .int8(Batch.catchUpEntries + 1)]),
      (Statements.histories, [app, .textArray(unknown.map(\.text))]),
      (Statements.usedKeys, [app, .byteaArray(keys)]),
      (Statements.usedNonces, [app, .byteaArray(nonces)]),
    ])
    guard let row = answers[0].first else { throw RegistryUnavailable("the app is not in the database any more") }
    let nextIndex = try row.int64(0)
    let gap = try answers[1].map { try StoredEntry($0) }
    try check(gap, after: picture.index, nextIndex: nextIndex)
    let known = try Self.follow(gap, picture.policies)
    let stored = try entriesByUser(answers[2], gap, remembered, known)
    let histories = try stored.mapValues { try self.history($0) }
    let now = try core.clock.acceptanceTime(notBefore: row.int64(1))
    let judge = BatchJudge(
      app: memory.id, now: now, nextIndex: nextIndex, policies: known, histories: histories,
      keyOwners: try Self.owners(answers[3]), usedNonces: Set(try answers[4].map { try $0.bytes(0) }))
    return Picture(judge: judge, gap: gap, userCount: try row.int64(2))
  }

  private func check(_ gap: [StoredEntry], after index: Int64, nextIndex: Int64) throws {
    if nextIndex <= index {
      core.logger.critical(
        "the database lacks entries that this registrar has answered with: was it restored? restart the registrar",
        metadata: ["app": "\(memory.id)", "answered": "\(index)", "latest": "\(nextIndex - 1)"])
      throw RegistryUnavailable("the database lacks entries that were answered with")
    }
    if gap.count > Batch.catchUpEntries { throw Batch.IsBehind(index: nextIndex - 1) }
    guard Int64(gap.count) == nextIndex - 1 - index else {
      throw PostgresError(.unexpectedResult, "entries are missing before index \(nextIndex)")
    }
  }

  /// The policies with those of the gap.
  private static func follow(_ gap: [StoredEntry], _ policies: AppHistory) throws -> AppHistory {
    var policies = policies
    for entry in gap where entry.subject == nil {
      guard let opened = entry.opened(app: policies.app) else { throw RegistryCore.tampered(entry.index) }
      policies.append(opened)
    }
    return policies
  }

  /// All entries of the users concerned, each once: from memory with what the gap adds, else from the database.
  private func entriesByUser(
    _ rows: PostgresRows, _ gap: [StoredEntry], _ remembered: [UserID: UserSnapshot], _ policies: AppHistory
  ) throws -> [UserID: [JudgedEntry]] {
    func judged(_ entry: StoredEntry) throws -> JudgedEntry {
      guard let policy = policies.policy(before: entry.index) else { throw RegistryCore.tampered(entry.index) }
      return JudgedEntry(stored: entry, policy: policy.rules)
    }
    var entries = remembered.mapValues(\.judgedEntries)
    for entry in gap {
      guard let user = entry.subject, let snapshot = remembered[user], entry.index > snapshot.lastIndex else {
        continue
      }
      entries[user, default: []].append(try judged(entry))
    }
    for row in rows {
      let entry = try StoredEntry(row)
      guard let user = entry.subject else { throw RegistryCore.tampered(entry.index) }
      entries[user, default: []].append(try judged(entry))
    }
    return entries
  }

  private func history(_ entries: [JudgedEntry]) throws -> KeyHistory {
    guard let user = entries.first?.stored.subject else { throw RegistryCore.tampered(-1) }
    var history = KeyHistory(app: memory.id, subject: user)
    for entry in entries {
      guard let opened = entry.stored.opened(app: memory.id) else { throw RegistryCore.tampered(entry.stored.index) }
      history.append(opened, under: entry.policy)
    }
    return history
  }

  /// Who used each key.
  typealias Owners = [VerifyingKey: Set<UserID>]

  static func owners(_ rows: PostgresRows) throws -> Owners {
    var owners: Owners = [:]
    for row in rows {
      guard let key = VerifyingKey(try row.bytes(0)), let user = UserID(try row.text(1)) else {
        throw PostgresError(.unexpectedResult, "a used key cannot be read: run registrar check")
      }
      owners[key, default: []].insert(user)
    }
    return owners
  }
}
