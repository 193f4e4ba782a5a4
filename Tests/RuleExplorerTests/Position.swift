import Cryptography
import KeyRecords
import PeerstackFormat

/// A user's history at a time, somewhere in the exploration.
struct Position {
  /// The moves that led here, the last one first.
  final class Trail {
    let move: String
    let before: Trail?

    init(_ move: String, after before: Trail?) {
      self.move = move
      self.before = before
    }

    var text: String { (before.map { $0.text + " → " } ?? "") + move }
  }

  private(set) var history: KeyHistory
  private(set) var now: Milliseconds
  private(set) var state: UserState
  /// Keys that some record brought in, whatever became of it.
  private(set) var usedKeys: [VerifyingKey] = []
  private(set) var entries: [Entry] = []
  let trail: Trail?

  /// After the first claim; nil if the history is empty.
  init?(_ history: KeyHistory, at now: Milliseconds) {
    guard let state = history.state(at: now) else { return nil }
    (self.history, self.now, self.state) = (history, now, state)
    entries = history.entries
    usedKeys = entries.compactMap { $0.record?.publicKey }
    trail = nil
  }

  private init(_ history: KeyHistory, now: Milliseconds, state: UserState, trail: Trail) {
    (self.history, self.now, self.state, self.trail) = (history, now, state, trail)
  }

  /// Where one is when the clock says `now`.
  func waiting(until now: Milliseconds, _ move: String) -> Position? {
    guard let state = history.state(at: now) else { return nil }
    var next = Position(history, now: now, state: state, trail: Trail(move, after: trail))
    (next.usedKeys, next.entries) = (usedKeys, entries)
    return next
  }

  /// Where one is after an entry.
  func appending(_ entry: Entry, under policy: PolicyRules, _ move: String) -> Position? {
    var history = history
    history.append(entry, under: policy)
    guard let state = history.state(at: entry.accepted) else { return nil }
    var next = Position(history, now: entry.accepted, state: state, trail: Trail(move, after: trail))
    next.entries = entries + [entry]
    next.usedKeys = usedKeys
    if let record = entry.record, record.action.bringsKey { next.usedKeys.append(record.publicKey) }
    return next
  }

  var head: KeyRecord { state.head }
  var authority: Authority { state.head.authority }
  var isLocked: Bool { head.action == .revoke }
  var isRetired: Bool { head.action == .retire }
  var isContested: Bool { state.claims != nil }

  func entry(of hash: RecordHash) -> Entry? { entries.first { $0.content.hash == hash } }

  func status(of hash: RecordHash) -> UserState.RecordStatus? { state.records.first { $0.record == hash } }

  /// The rank at which approvals act, read from §4 and §5.5: the first tier whose demand they meet.
  func rank(of approving: Set<VerifyingKey>, under policy: PolicyRules) -> Int? {
    authority.tiers.firstIndex { tier in
      switch tier {
      case .keys(_, let keys, let threshold, _): approving.intersection(keys).count >= threshold
      case .signer: !isLocked && approving.contains(head.publicKey)
      case .registrar: approving.intersection(policy.admins.keys).count >= policy.admins.threshold
      }
    }
  }

  /// Whether an adjudication makes the next record raise `incarnation` (§5.9): nothing built since has taken effect.
  var owesIncarnation: Bool {
    for entry in entries.reversed() {
      if case .adjudication = entry.content { return true }
      guard let record = entry.record else { continue }
      if record.action == .claim, entry.effective != nil { return false }
      if record.action != .claim, status(of: record.hash)?.status == "effective" { return false }
    }
    return false
  }
}

/// All that a state says, to be compared: what its JSON says, without the cost.
struct Snapshot: Hashable {
  let status: UserState.Status
  let head: RecordHash
  let pending: UserState.Pending?
  let claims: [RecordHash]?
  let keys: [KeyInterval]
  let records: [UserState.RecordStatus]
}

extension UserState {
  var snapshot: Snapshot {
    Snapshot(status: status, head: head.hash, pending: pending, claims: claims, keys: keys, records: records)
  }
}
