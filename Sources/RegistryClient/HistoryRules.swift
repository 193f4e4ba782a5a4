import KeyRecords
import PeerstackFormat

/// What a client checks of entries beyond the rules for one record (docs/spec/protocol.md §9).
enum HistoryRules {
  /// Reads entries, and verifies every signature in them.
  static func read(_ values: [JSONValue], app: AppID) throws(Contradiction) -> [Entry] {
    var entries: [Entry] = []
    for value in values {
      switch Entry.verify(value, app: app) {
      case .success(let entry): entries.append(entry)
      case .failure(let refusal):
        let index = value.object?["index"]?.integer.map { "entry \($0)" } ?? "an entry"
        throw Contradiction(
          .rules, "\(index) cannot be: \(refusal.code.rawValue) \(refusal.facts["pointer"]?.string ?? "")")
      }
    }
    return entries
  }

  /// Judges entries that come after what is known, each under its own policy.
  static func replay(_ entries: [Entry], onto history: inout KeyHistory, under chain: AppHistory) throws(Contradiction)
  {
    for entry in entries {
      try checkPlace(of: entry, in: chain)
      guard let policy = chain.policy(before: entry.index) else {
        throw Contradiction(.rules, "entry \(entry.index) is older than the app's first policy")
      }
      do throws(ReplayConflict) {
        try history.replay(entry, under: policy.rules)
      } catch {
        throw Contradiction(.rules, "entry \(error.index): \(error.reason)")
      }
    }
  }

  /// Indexes and acceptances rise together through all entries of an app, policies included.
  private static func checkPlace(of entry: Entry, in chain: AppHistory) throws(Contradiction) {
    for policy in chain.entries {
      let isAfter = entry.index > policy.index
      guard entry.index != policy.index, isAfter ? entry.accepted >= policy.accepted : entry.accepted <= policy.accepted
      else { throw Contradiction(.rules, "entry \(entry.index) contradicts the order of policies") }
    }
  }

  /// Nothing is newer than the answer it came with.
  static func checkBounds(_ entries: [Entry], asOf: AsOf) throws(Contradiction) {
    for entry in entries where entry.index > asOf.index || entry.accepted > asOf.time {
      throw Contradiction(.rules, "entry \(entry.index) is newer than the answer it came with")
    }
  }

  /// An answer or a new entry more than five minutes ahead of the client's clock.
  static func checkFuture(_ entries: [Entry], asOf: AsOf?, clock: Milliseconds) throws(Contradiction) {
    if let asOf, asOf.time > clock + Limits.clockSkew {
      throw Contradiction(.time, "the answer comes from \(asOf.time), which is ahead of this clock")
    }
    for entry in entries where entry.accepted > clock + Limits.clockSkew {
      throw Contradiction(.time, "entry \(entry.index) was accepted at \(entry.accepted), which is ahead of this clock")
    }
  }

  /// Judges a policy chain from its first entry.
  static func chain(_ values: [JSONValue], app: AppID) throws(Contradiction) -> AppHistory {
    var chain = AppHistory(app: app)
    do throws(Contradiction) {
      for entry in try read(values, app: app) { try append(entry, to: &chain) }
    } catch {
      throw Contradiction(.policy, error.reason)
    }
    guard chain.current != nil else { throw Contradiction(.policy, "the app has no policy") }
    return chain
  }

  private static func append(_ entry: Entry, to chain: inout AppHistory) throws(Contradiction) {
    guard case .policy(let policy) = entry.content else {
      throw Contradiction(.policy, "entry \(entry.index) is no policy")
    }
    if let last = chain.entries.last {
      guard entry.index > last.index, entry.accepted >= last.accepted else {
        throw Contradiction(.policy, "entry \(entry.index) is out of order")
      }
    } else if entry.index != 0 {
      throw Contradiction(.policy, "the first policy is not the app's first entry")
    }
    switch chain.judge(policy, at: entry.accepted) {
    case .accepted(let acceptance):
      guard acceptance.rank == entry.rank, acceptance.effective == entry.effective else {
        throw Contradiction(.policy, "rank or effect of entry \(entry.index) are not what the rules say")
      }
      chain.append(entry)
    case .same: throw Contradiction(.policy, "entry \(entry.index) comes twice")
    case .refused(let refusal):
      throw Contradiction(.policy, "the rules refuse entry \(entry.index): \(refusal.code.rawValue)")
    }
  }

  /// Whether the later list begins with all of the earlier.
  static func extends(_ later: [Entry], _ earlier: [Entry]) -> Bool {
    later.count >= earlier.count
      && zip(later, earlier).allSatisfy { later, earlier in
        later.index == earlier.index && later.accepted == earlier.accepted && later.content.hash == earlier.content.hash
      }
  }
}
