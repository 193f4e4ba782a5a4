import KeyRecords
import PeerstackFormat

/// What is known of a user from one registrar.
enum SourceAnswer: Sendable {
  case history(KnownHistory)
  case unknown
  case conflict(Conflict)
  case unavailable(String)
}

/// The judgment of one user's part of an answer: pure, so that many are made at once.
struct HistoryJob: Sendable {
  let user: UserID
  let app: AppID
  let registrar: String
  /// What this registrar said before.
  let known: KnownHistory?
  /// The pin, if it came from this registrar.
  let pin: Pin?
  /// The entries; nil if the registrar says that it does not know the user.
  let offered: [JSONValue]?
  let asOf: AsOf
  /// The client's clock.
  let clock: Milliseconds

  func run(under chain: AppHistory) -> SourceAnswer {
    do throws(Contradiction) {
      guard let offered else {
        guard known == nil, pin == nil else {
          throw Contradiction(.rollback, "the registrar knew the user before, and says now that it does not")
        }
        return .unknown
      }
      guard let judged = try judge(offered, under: chain) else {
        return .unavailable("the registrar's answer has no entries of the user")
      }
      return .history(KnownHistory(judged: judged, checked: clock))
    } catch {
      return .conflict(Conflict(error.kind, error.reason, evidence: evidence))
    }
  }

  private var evidence: [Evidence] {
    let earlier = known.map { [Evidence(source: "known before", entries: $0.judged.evidence)] } ?? []
    return earlier + [Evidence(source: registrar, entries: (offered ?? []).map { CanonicalJSON.bytes(of: $0) })]
  }

  private func judge(_ offered: [JSONValue], under chain: AppHistory) throws(Contradiction) -> JudgedHistory? {
    try HistoryRules.checkFuture([], asOf: asOf, clock: clock)
    let entries = try HistoryRules.read(offered, app: app)
    try HistoryRules.checkBounds(entries, asOf: asOf)
    let earlier = known?.judged.history.entries ?? []
    let isContinuation = earlier.last.map { last in entries.first.map { $0.index > last.index } ?? true } ?? false
    var history: KeyHistory
    let new: ArraySlice<Entry>
    if isContinuation, let known {
      history = known.judged.history
      new = entries[...]
    } else {
      // The whole again: of a new user, or because the registrar does not know the last entry that it gave us.
      guard HistoryRules.extends(entries, earlier) else {
        throw Contradiction(.rollback, "entries that were there before are missing: a rollback or a fork")
      }
      history = KeyHistory(app: app, subject: user)
      try HistoryRules.replay(Array(entries.prefix(earlier.count)), onto: &history, under: chain)
      new = entries.dropFirst(earlier.count)
    }
    try HistoryRules.checkFuture(Array(new), asOf: nil, clock: clock)
    if let known { try checkNotBackdated(new, since: known.judged.asOf) }
    try HistoryRules.replay(Array(new), onto: &history, under: chain)
    guard let judged = JudgedHistory(history, asOf: foldTime, isConfirmed: true, reusing: known?.judged) else {
      return nil
    }
    _ = try pin?.following(judged, from: registrar)
    return judged
  }

  /// Time does not go back: what took effect for this client has taken effect.
  private var foldTime: AsOf {
    let before = [known?.judged.asOf, pin?.asOf].compactMap(\.self)
    return AsOf(
      index: before.map(\.index).reduce(asOf.index, max), time: before.map(\.time).reduce(asOf.time, max))
  }

  private func checkNotBackdated(_ new: ArraySlice<Entry>, since before: AsOf) throws(Contradiction) {
    for entry in new where entry.accepted < before.time - Limits.clockSkew {
      throw Contradiction(.time, "entry \(entry.index) is new, and says it was accepted before the last look")
    }
  }

  /// Runs jobs on all cores, in pieces that are worth a task.
  static func run(_ jobs: [HistoryJob], under chain: AppHistory) async -> [UserID: SourceAnswer] {
    let piece = 8
    return await withTaskGroup(of: [(UserID, SourceAnswer)].self) { group in
      for start in stride(from: 0, to: jobs.count, by: piece) {
        group.addTask { jobs[start..<min(start + piece, jobs.count)].map { ($0.user, $0.run(under: chain)) } }
      }
      var answers: [UserID: SourceAnswer] = [:]
      for await results in group {
        for (user, answer) in results { answers[user] = answer }
      }
      return answers
    }
  }

  /// Users whose entries contradict each other: an index twice, or acceptances that fall as indexes rise.
  static func contradictions(in answer: [UserID: [JSONValue]]) -> Set<UserID> {
    var places: [(index: Int64, accepted: Int64, user: UserID)] = []
    for (user, entries) in answer {
      for entry in entries.compactMap(\.object) {
        guard let index = entry["index"]?.integer, let accepted = entry["accepted"]?.integer else { continue }
        places.append((index, accepted, user))
      }
    }
    places.sort { ($0.index, $0.accepted) < ($1.index, $1.accepted) }
    var users: Set<UserID> = []
    for (left, right) in zip(places, places.dropFirst())
    where left.index == right.index || left.accepted > right.accepted {
      users.formUnion([left.user, right.user])
    }
    return users
  }
}
