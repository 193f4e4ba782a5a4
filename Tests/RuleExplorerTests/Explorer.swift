import Cryptography
import KeyRecords
import PeerstackFormat

/// Something that a party does.
struct Move {
  enum Deed {
    case offer(Submission)
    case wait(until: Milliseconds)
  }

  let name: String
  let deed: Deed

  init(_ name: String, _ deed: Deed) {
    self.name = name
    self.deed = deed
  }
}

/// Plays all orders of the moves of all parties, breadth first, and holds every position against every check.
final class Explorer {
  let world: World
  let cast = Cast.standard
  let policy: PolicyRules
  let subject: UserID
  let app: AppID
  /// Violations: the check, what was wrong, and how one comes there.
  private(set) var violations: [String] = []
  /// How often each check was held against something.
  private(set) var counts: [Check: Int] = [:]
  private(set) var positionCount = 0
  private(set) var offerCount = 0
  private var nextHash: UInt64 = 0

  init(_ world: World) {
    self.world = world
    policy = world.policy
    subject = world.subject
    app = world.app
  }

  // MARK: Searching

  /// Explores a number of moves; `visit` sees every position that is new.
  func explore(depth limit: Int, visit: (Position) -> Void = { _ in }) {
    var known: Set<PositionKey> = []
    var frontier: [Position] = []
    for start in openings() where known.insert(PositionKey(start, cast)).inserted { frontier.append(start) }
    for depth in 0...limit {
      var next: [Position] = []
      for position in frontier {
        positionCount += 1
        visit(position)
        check(position)
        guard depth < limit, violations.isEmpty else { continue }
        for move in moves(at: position) {
          guard let after = play(move, at: position) else { continue }
          if known.insert(PositionKey(after, cast)).inserted { next.append(after) }
        }
      }
      frontier = next
    }
  }

  /// What has happened before the theft: the claim alone, or also a rotation.
  private func openings() -> [Position] {
    let empty = KeyHistory(app: app, subject: subject)
    let (key, authority) =
      world.isSquatted
      ? (cast.key("R0"), Authority(tiers: [World.keys("paper", ["R7"]), .signer])) : (cast.key("O0"), world.authority)
    guard let authority else { return [] }
    let claim = claim(of: key, authority, at: World.claimed) { $0.expires = World.claimed + 300 * World.day }
    guard let acceptance = acceptance(of: .record(claim), in: empty, at: World.claimed) else { return [] }
    var history = empty
    history.append(entry(.record(claim), acceptance, index: 0, at: World.claimed), under: policy)
    guard let claimed = Position(history, at: World.claimed),
      let later = claimed.waiting(until: World.claimed + World.day, "a day"),
      let rotation = record(.rotate, at: later, by: [key], bringing: world.isSquatted ? .rival : .owner),
      let rotated = play(Move("rotates", .offer(.record(rotation))), at: later)
    else { return [] }
    return [claimed, rotated].compactMap { $0.waiting(until: World.theft, "theft") }
  }

  /// Where a move leads; nil where it changes nothing.
  func play(_ move: Move, at position: Position) -> Position? {
    switch move.deed {
    case .wait(let now): return position.waiting(until: now, move.name)
    case .offer(let submission):
      switch offer(submission, at: position) {
      case .same: return nil
      case .refused(let refusal):
        checkRefusal(refusal, of: submission, at: position, move)
        return nil
      case .accepted(let acceptance):
        let entry = entry(submission, acceptance, index: Int64(position.entries.count), at: position.now)
        guard let after = position.appending(entry, under: policy, move.name) else { return nil }
        checkAcceptance(acceptance, of: entry, from: position, to: after)
        return after
      }
    }
  }

  // MARK: Offering

  func offer(_ submission: Submission, at position: Position) -> Verdict {
    offerCount += 1
    return judge(submission, in: position.history, at: circumstances(position.now))
  }

  /// Where a submission leads, and what it does; nil if it is not accepted.
  func accept(_ submission: Submission, at position: Position) -> (Position, Acceptance)? {
    guard case .accepted(let acceptance) = offer(submission, at: position) else { return nil }
    let entry = entry(submission, acceptance, index: Int64(position.entries.count), at: position.now)
    return position.appending(entry, under: policy, "(tried)").map { ($0, acceptance) }
  }

  private func acceptance(of submission: Submission, in history: KeyHistory, at now: Milliseconds) -> Acceptance? {
    guard case .accepted(let acceptance) = judge(submission, in: history, at: circumstances(now)) else { return nil }
    return acceptance
  }

  func circumstances(_ now: Milliseconds) -> Circumstances {
    Circumstances(
      now: now, policy: policy, registrarView: Circumstances.RegistrarView(isKeyUsedElsewhere: false))
  }

  private func entry(_ content: Submission, _ acceptance: Acceptance, index: Int64, at now: Milliseconds) -> Entry {
    Entry(index: index, accepted: now, effective: acceptance.effective, rank: acceptance.rank, content: content)
  }

  // MARK: Making records

  /// A hash that no other record has.
  private func makeHash() -> RecordHash {
    nextHash += 1
    var bytes = [UInt8](repeating: 0, count: Bytes32.count)
    for place in 0..<8 { bytes[place] = UInt8(truncatingIfNeeded: nextHash >> (8 * UInt64(place))) }
    return RecordHash(Bytes32(bytes) ?? Bytes32())
  }

  /// A claim with a key's own signature.
  func claim(
    of key: VerifyingKey, _ authority: Authority, at now: Milliseconds, change: (inout RecordDraft) -> Void = { _ in }
  ) -> KeyRecord {
    var draft = RecordDraft(
      claim: subject, app: app, publicKey: key, publicBoxKey: cast.boxKey(of: key), authority: authority, modified: now)
    change(&draft)
    return KeyRecord(assembling: draft, approving: [key], hash: makeHash())
  }

  /// A record on the head that these keys approve; nil where it cannot be made, for want of a key.
  ///
  /// As in signed records, a key that is brought in signs, and so does the key in force when the record is an `amend`.
  func record(
    _ action: KeyRecord.Action, at position: Position, by approving: Set<VerifyingKey>,
    bringing party: Cast.Party? = nil, change: (inout RecordDraft) -> Void = { _ in }
  ) -> KeyRecord? {
    var draft = RecordDraft(action, after: position.head, now: position.now)
    var approving = approving
    if action.bringsKey {
      guard let party, let key = cast.freshKey(of: party, notIn: position.usedKeys) else { return nil }
      draft.publicKey = key
      draft.publicBoxKey = cast.boxKey(of: key)
    }
    if action.needsReason { draft.reason = .lost }
    change(&draft)
    if action.bringsKey { approving.insert(draft.publicKey) }
    if action == .amend, !approving.contains(position.head.publicKey) { return nil }
    if action.endsKey, approving.isEmpty { return nil }
    var isBroken = position.owesIncarnation
    let rank = position.rank(of: approving, under: policy)
    if let rank, case .registrar = position.authority.tiers[rank] { isBroken = true }
    draft.incarnation = position.head.incarnation + (isBroken ? 1 : 0)
    return made(KeyRecord(assembling: draft, approving: approving, hash: makeHash()), at: position)
  }

  /// The record, or the very same one if it is in the history: with signatures the two would have one hash.
  func made(_ record: KeyRecord, at position: Position) -> KeyRecord {
    let twin = position.entries.lazy.compactMap(\.record).first {
      $0.sequence == record.sequence && $0.action == record.action && $0.modified == record.modified
        && $0.previous == record.previous && $0.publicKey == record.publicKey && $0.authority == record.authority
        && $0.reason == record.reason && $0.compromised == record.compromised && $0.expires == record.expires
        && $0.incarnation == record.incarnation && $0.approving == record.approving
    }
    return twin ?? record
  }

  func adjudication(for winner: RecordHash, at position: Position) -> Adjudication {
    Adjudication(
      assembling: subject, app: app, winner: winner, modified: position.now, approving: [cast.key("A7")],
      hash: makeHash())
  }

  // MARK: Reporting

  /// Holds a check against something that is to be true.
  func expect(_ check: Check, _ isTrue: Bool, _ position: Position, _ what: @autoclosure () -> String) {
    counts[check, default: 0] += 1
    if !isTrue { violations.append("\(check.rawValue): \(what()), after: \(position.trail?.text ?? "nothing")") }
  }
}

/// What of a position matters to anything that can come after it. Positions with equal keys are explored once.
struct PositionKey: Hashable {
  private let text: String

  init(_ position: Position, _ cast: Cast) {
    var parts = ["\(position.now)"]
    for entry in position.entries {
      let status = position.status(of: entry.content.hash)
      guard let record = entry.record else {
        parts.append("adjudicated")
        continue
      }
      let isGone = status?.status == "cancelled" || status?.status == "refused"
      // Of a record that came to nothing, its rank counts for the rates, and its keys are used.
      let detail = isGone ? "" : Self.detail(of: record)
      parts.append(
        """
        \(status?.status ?? "?") \(status?.effective ?? -1) \(entry.rank ?? -1) \(entry.accepted) \
        \(record.action.bringsKey ? cast.name(of: record.publicKey) : "") \(detail)
        """)
    }
    text = parts.joined(separator: "|")
  }

  private static func detail(of record: KeyRecord) -> String {
    let tiers = record.authority.tiers.map { tier in
      if case .keys(let name, let keys, _, _) = tier { "\(name)\(keys.count)" } else { "\(tier.delay)" }
    }
    return """
      \(record.action) \(tiers) \(record.incarnation) \(record.reason?.rawValue ?? "") \
      \(record.compromised ?? -1) \(record.expires ?? -1)
      """
  }
}
