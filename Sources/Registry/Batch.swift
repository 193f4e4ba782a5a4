import Cryptography
import KeyRecords
import Logging
import Postgres
import RegistryAPI

/// Submissions of one app that are judged and committed as one transaction.
///
/// The transaction locks the app's row first. All that is read after that stays true until it ends, as every instance
/// writes to the app under this lock alone. What memory has is the history up to some index; what was committed beyond is
/// read under the lock.
///
/// If the connection dies during the commit, nobody knows whether it happened. The batch is run again: when it gets the
/// lock, the first transaction has ended, one way or the other. What it had committed is then found as *the same again*,
/// with the index that was planned for it, and is answered as created; the rest is judged anew.
struct Batch: Sendable {
  /// Memory is too far behind to be caught up inside the transaction.
  struct IsBehind: Error {
    /// The latest index.
    let index: Int64
  }

  /// Entries of other instances that are read inside the transaction at most.
  static let catchUpEntries: Int64 = 500

  let bodies: [SubmissionBody]
  let core: RegistryCore
  let memory: AppMemory
  let hints: CommitHints
  /// The indexes that a transaction of unknown outcome had planned, by record hash.
  private var planned: [RecordHash: Int64] = [:]
  /// The same of the transaction under way.
  private var planning: [RecordHash: Int64] = [:]

  init(bodies: [SubmissionBody], core: RegistryCore, memory: AppMemory, hints: CommitHints) {
    self.bodies = bodies
    self.core = core
    self.memory = memory
    self.hints = hints
  }

  var isOutcomeUnknown: Bool { !planned.isEmpty }

  /// Notes that the last run may have been committed.
  mutating func noteUnknownOutcome() { planned.merge(planning) { $1 } }

  /// Judges, stores, commits and publishes.
  mutating func run(on session: PostgresSession) async throws -> [SubmissionOutcome] {
    let reading = BatchReading(bodies: bodies, core: core, memory: memory)
    var planning: [RecordHash: Int64] = [:]
    defer { self.planning = planning }
    let (read, judge, decisions, isOwed) = try await session.transaction { transaction in
      let read = try await reading.read(transaction)
      var judge = read.judge
      let decisions = bodies.map { judge.decide($0) }
      for entry in judge.gain.entries { planning[entry.content.hash] = entry.index }
      let isNew = !judge.gain.entries.isEmpty
      let tells = isNew && hints.isDue(memory)
      try await transaction.commit(
        after: BatchWriting.statements(judge.gain, userCount: read.userCount, tells: tells))
      return (read, judge, decisions, isNew && !tells)
    }
    let new = judge.gain.entries.map { StoredEntry($0) }
    publish(new, judge, read)
    if isOwed { hints.owe(memory) }
    return decisions.map { outcome($0, new) }
  }

  /// Whoever is answered can read what was decided: publication comes first.
  private func publish(_ new: [StoredEntry], _ judge: BatchJudge, _ read: BatchReading.Picture) {
    var whole: [UserID: UserSnapshot] = [:]
    if core.index.isEnabled {
      whole.reserveCapacity(new.count)
      for entry in new {
        if let user = entry.subject, whole[user] == nil { whole[user] = snapshot(of: user, newest: entry, judge) }
      }
    }
    let isPublished = memory.publish(
      read.gap + new, whole: whole, userCount: read.userCount + judge.gain.newUserCount, index: core.index)
    if !isPublished {
      core.logger.error("entries that were committed do not follow on memory's", metadata: ["app": "\(memory.id)"])
    }
  }

  /// A user with everything that was accepted. Most have the claim alone, of which nothing need be worked out.
  private func snapshot(of user: UserID, newest entry: StoredEntry, _ judge: BatchJudge) -> UserSnapshot? {
    guard let history = judge.histories[user] else { return nil }
    let policies = history.policies
    if policies.count == 1 {
      return UserSnapshot(app: memory.id, user, entries: [JudgedEntry(stored: entry, policy: policies[0])])
    }
    return UserSnapshot(history, entries: history.entries.map { StoredEntry($0) }, under: policies, at: judge.now)
  }

  /// - Parameter new: what was accepted, in the order of indexes, which have no gaps.
  private func outcome(_ decision: BatchJudge.Decision, _ new: [StoredEntry]) -> SubmissionOutcome {
    switch decision {
    case .accepted(let entry, _): .created(new[Int(entry.index - new[0].index)].text)
    case .same(let entry): planned[entry.content.hash] == entry.index ? .created(entry.text) : .repeated(entry.text)
    case .refused(let refusal): .refused(refusal)
    }
  }
}
