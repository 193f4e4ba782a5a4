import Cryptography
import KeyRecords
import PeerstackFormat
import Postgres

/// Checks one app inside a transaction that sees one snapshot.
struct AppCheck {
  /// Entries that are read at once.
  static let pageEntries: Int64 = 500

  let app: AppID
  var report: CheckReport
  private var policies: AppHistory
  private var userCount: Int64 = 0
  private var usedKeyCount: Int64 = 0

  init(app: AppID, report: CheckReport) {
    self.app = app
    self.report = report
    policies = AppHistory(app: app)
  }

  private var name: PostgresValue { .text(app.text) }

  mutating func differ(_ reason: String, subject: UserID? = nil, index: Int64? = nil) {
    report.add(CheckDifference(app: app, subject: subject, index: index, reason: reason))
  }

  nonisolated(nonsending) mutating func run(_ transaction: PostgresTransaction) async throws {
    try replayPolicies(await transaction.query(Statements.policies, [name]))
    try await checkUsers(transaction)
    try await checkSums(transaction)
  }

  // MARK: Policies

  private mutating func replayPolicies(_ rows: PostgresRows) throws {
    for row in rows {
      let stored = try StoredEntry(row)
      guard let entry = verified(stored) else { continue }
      guard case .policy(let policy) = entry.content else {
        differ("an entry without a subject is no policy", index: stored.index)
        continue
      }
      switch policies.judge(policy, at: entry.accepted) {
      case .accepted(let acceptance):
        if acceptance.effective != entry.effective || entry.rank != nil {
          differ("rank or effect are not what the rules say", index: entry.index)
        }
        policies.append(entry)
      case .same: differ("the same policy comes twice", index: entry.index)
      case .refused(let refusal): differ("the rules refuse it: \(refusal.code.rawValue)", index: entry.index)
      }
      report.entryCount += 1
    }
    if policies.entries.first?.index != 0 { differ("entry 0 is not the app's first policy") }
  }

  /// The entry with everything in it verified again: signatures, hash, canonical form.
  private mutating func verified(_ stored: StoredEntry) -> Entry? {
    switch Submission.verify(stored.record, app: app) {
    case .failure(let refusal):
      differ("the record is refused: \(refusal.code.rawValue)", subject: stored.subject, index: stored.index)
      return nil
    case .success(let content):
      guard content.canonical == stored.record, content.hash == stored.hash, content.subject == stored.subject else {
        differ("hash, subject or form are not those of the record", subject: stored.subject, index: stored.index)
        return nil
      }
      return Entry(
        index: stored.index, accepted: stored.accepted, effective: stored.effective, rank: stored.rank, content: content
      )
    }
  }

  // MARK: Users

  /// Users in the order of their ids; one that has more entries than a page goes on in the next.
  private nonisolated(nonsending) mutating func checkUsers(_ transaction: PostgresTransaction) async throws {
    var cursor = (subject: "", index: Int64(-1))
    var user: UserCheck?
    while true {
      let rows = try await transaction.query(
        Statements.entriesByUser, [name, .text(cursor.subject), .int8(cursor.index), .int8(Self.pageEntries)])
      var finished: [UserCheck] = []
      for row in rows {
        let stored = try StoredEntry(row)
        guard let subject = stored.subject else { continue }
        cursor = (subject.text, stored.index)
        if let done = user, done.history.subject != subject {
          finished.append(done)
          user = nil
        }
        var current = user ?? UserCheck(app: app, subject: subject)
        replay(stored, in: &current)
        user = current
      }
      if rows.count < Self.pageEntries, let last = user.take() { finished.append(last) }
      try await compare(finished, transaction)
      if rows.count < Self.pageEntries { return }
    }
  }

  private mutating func replay(_ stored: StoredEntry, in user: inout UserCheck) {
    user.entryCount += 1
    user.lastIndex = stored.index
    report.entryCount += 1
    let subject = user.history.subject
    guard let entry = verified(stored) else { return }
    guard let policy = policies.policy(before: entry.index) else {
      return differ("no policy was in force", subject: subject, index: entry.index)
    }
    do throws(ReplayConflict) {
      try user.history.replay(entry, under: policy.rules)
    } catch {
      return differ(error.reason, subject: subject, index: entry.index)
    }
    guard let record = entry.record, record.action.bringsKey else { return }
    if user.keys[record.publicKey] == nil { user.keys[record.publicKey] = entry.index }
    user.newest[record.publicKey] = entry
  }

  private nonisolated(nonsending) mutating func compare(
    _ users: [UserCheck], _ transaction: PostgresTransaction
  ) async throws {
    if users.isEmpty { return }
    userCount += Int64(users.count)
    report.userCount += Int64(users.count)
    usedKeyCount += users.reduce(0) { $0 + Int64($1.keys.count) }
    let answers = try await transaction.queryAll([
      (Statements.users, [name, .textArray(users.map(\.history.subject.text))]),
      (Statements.usedKeysWithIndex, [name, .byteaArray(users.flatMap(\.keys.keys).map(\.bytes))]),
    ])
    var rows: [String: [Int64]] = [:]
    for row in answers[0] { rows[try row.text(0)] = [try row.int64(1), try row.int64(2)] }
    let owners = try Self.owners(answers[1])
    for user in users {
      let subject = user.history.subject
      if rows[subject.text] != [user.entryCount, user.lastIndex] {
        differ("the table users does not have what its entries say", subject: subject)
      }
      for (key, index) in user.keys where owners[key]?[subject.text] != index {
        differ("the table used_keys does not have its key", subject: subject, index: index)
      }
      for (key, entry) in user.newest {
        let isForeign = owners[key]?.contains { $0.key != subject.text && $0.value < entry.index } ?? false
        if isForeign, !(entry.record.map(BoundID.isBound) ?? false) {
          differ("its key was another user's", subject: subject, index: entry.index)
        }
      }
    }
  }

  /// By key, who used it and from which index on.
  private static func owners(_ rows: PostgresRows) throws -> [VerifyingKey: [String: Int64]] {
    var owners: [VerifyingKey: [String: Int64]] = [:]
    for row in rows {
      guard let key = VerifyingKey(try row.bytes(0)) else { continue }
      owners[key, default: [:]][try row.text(1)] = try row.int64(2)
    }
    return owners
  }

  // MARK: Sums

  private nonisolated(nonsending) mutating func checkSums(_ transaction: PostgresTransaction) async throws {
    let answers = try await transaction.queryAll([
      (Statements.appRow, [name]), (Statements.entrySums, [name]), (Statements.unorderedEntries, [name]),
      (Statements.derivedSums, [name]), (Statements.strayNonces, [name]),
    ])
    guard let row = answers[0].first, let sums = answers[1].first, let derived = answers[3].first else {
      return differ("the app has no row")
    }
    let count = try sums.int64(0)
    if try sums.int64(1) != count - 1 { differ("the indexes have gaps") }
    if try row.int64(0) != count { differ("the table apps has another next index than the entries") }
    if try row.int64(1) != sums.int64(2) { differ("the table apps has another last time than the entries") }
    if try row.int64(2) != userCount { differ("the table apps counts other users than the entries") }
    if try row.int64(3) != policies.entries.last?.index ?? -1 { differ("the table apps names another policy") }
    for row in answers[2] {
      differ("it was accepted before the entry before it", index: try row.int64(0))
    }
    if try derived.int64(0) != userCount { differ("the table users has users without entries") }
    if try derived.int64(1) != usedKeyCount { differ("the table used_keys has keys that no entry brought in") }
    for row in answers[4] {
      differ("a used nonce belongs to no claim", index: try row.int64(0))
    }
  }
}

/// A user whose entries are being replayed.
struct UserCheck {
  var history: KeyHistory
  var entryCount: Int64 = 0
  var lastIndex: Int64 = -1
  /// The keys it brought in, each with the first entry that did.
  var keys: [VerifyingKey: Int64] = [:]
  /// The same, each with the last entry that did: unless it is a bound claim, nobody else had the key before (§5.10).
  var newest: [VerifyingKey: Entry] = [:]

  init(app: AppID, subject: UserID) { history = KeyHistory(app: app, subject: subject) }
}
