import Cryptography

/// What the entries of a user come to at a time (protocol §5.7–§5.9, §6).
struct Fold {
  enum Status: String {
    case effective, pending, cancelled, refused
  }

  /// A record that has taken effect, on the line that is in force.
  struct Link {
    let item: Int
    let record: KeyRecord
    /// When it took effect.
    let effective: Milliseconds
    /// The rank it was authorised at; nil for the claim.
    let rank: Int?
    /// Whether that rank was above the signer's, by the authority it was built on.
    let isAboveSigner: Bool
  }

  /// Rival claims that are open.
  struct Contest {
    /// Items: the first claim, then the rivals.
    var claims: [Int]
    /// When it lapses.
    let end: Milliseconds
  }

  let items: [KeyHistory.Item]
  /// What became of each item.
  private(set) var statuses: [Status] = []
  /// When each item took or will take effect; nil where it does not.
  private(set) var effectives: [Milliseconds?] = []
  /// The records in force, the claim first.
  private(set) var line: [Link] = []
  /// For each tier of the head's authority above the signer: since when it can state boundaries (§5.8).
  private(set) var floors: [Milliseconds] = []
  /// The item that is pending.
  private(set) var pending: Int?
  private(set) var contest: Contest?
  private(set) var hadContest = false
  /// Whether the next record must raise `incarnation` because of an adjudication (§5.9).
  private(set) var owesIncarnation = false

  /// Folds all items of a history and settles what is due by `now`.
  init(_ history: KeyHistory, at now: Milliseconds) {
    items = history.items
    for item in items.indices {
      settle(at: items[item].entry.accepted)
      statuses.append(.pending)
      effectives.append(items[item].entry.effective)
      apply(item)
    }
    settle(at: now)
  }

  /// The record in force; nil while there is no history.
  var head: Link? { line.last }
  var pendingEffective: Milliseconds? { pending.flatMap { effectives[$0] } }

  /// The claim that the history begins with.
  var firstClaim: KeyHistory.Item? { line.first.map { items[$0.item] } }

  var isLocked: Bool { head?.record.action == .revoke }
  var isRetired: Bool { head?.record.action == .retire }

  /// Lets time do what it does: pending records take effect, contests lapse, up to and including `now`.
  private mutating func settle(at now: Milliseconds) {
    if let item = pending, let effective = effectives[item], effective <= now {
      pending = nil
      takeEffect(item, at: effective)
    }
    if let open = contest, open.end <= now {
      for claim in open.claims.dropFirst() { drop(claim) }
      contest = nil
    }
  }

  private mutating func apply(_ item: Int) {
    switch items[item].entry.content {
    case .record(let record) where record.action == .claim: applyClaim(item, record)
    case .record: applyRecord(item)
    case .adjudication(let adjudication): applyAdjudication(item, adjudication)
    case .policy: break
    }
  }

  private mutating func applyClaim(_ item: Int, _ record: KeyRecord) {
    let entry = items[item].entry
    if let effective = entry.effective {
      dropLine()
      begin(item, record, at: effective)
      owesIncarnation = false
      return
    }
    if contest == nil, let first = line.first {
      cancelPending()
      contest = Contest(claims: [first.item], end: entry.accepted + Limits.contestDuration)
      hadContest = true
    }
    contest?.claims.append(item)
  }

  private mutating func applyRecord(_ item: Int) {
    let entry = items[item].entry
    cancelPending()
    if let effective = entry.effective, effective > entry.accepted {
      pending = item
    } else {
      takeEffect(item, at: entry.accepted)
    }
  }

  private mutating func applyAdjudication(_ item: Int, _ adjudication: Adjudication) {
    let entry = items[item].entry
    statuses[item] = .effective
    effectives[item] = entry.accepted
    guard let open = contest else { return }
    let winner = open.claims.first { items[$0].entry.content.hash == adjudication.winner }
    if let winner, winner != open.claims.first, let claim = items[winner].entry.record {
      dropLine()
      begin(winner, claim, at: entry.accepted)
    } else {
      cancelPending()
      for claim in open.claims.dropFirst() { drop(claim) }
      contest = nil
    }
    owesIncarnation = true
  }

  /// Everything before comes to nothing; adjudications, and what was cancelled, stay as they are.
  private mutating func dropLine() {
    for item in statuses.indices.dropLast() {
      if case .adjudication = items[item].entry.content { continue }
      if statuses[item] == .effective || statuses[item] == .pending { drop(item) }
    }
    line = []
    pending = nil
    contest = nil
  }

  private mutating func begin(_ item: Int, _ claim: KeyRecord, at effective: Milliseconds) {
    statuses[item] = .effective
    effectives[item] = effective
    line = [Link(item: item, record: claim, effective: effective, rank: nil, isAboveSigner: false)]
    floors = Array(repeating: 0, count: claim.authority.signerRank)
  }

  private mutating func takeEffect(_ item: Int, at effective: Milliseconds) {
    guard let record = items[item].entry.record, let head else { return }
    let rank = items[item].entry.rank
    let before = head.record.authority
    let isAboveSigner = rank.map { $0 < before.signerRank } ?? false
    let newFloor = isAboveSigner ? rank.map { floors[$0] } ?? effective : effective
    floors = record.authority.tiers.prefix(record.authority.signerRank).map { tier in
      before.tiers.prefix(before.signerRank).firstIndex(of: tier).map { floors[$0] } ?? newFloor
    }
    statuses[item] = .effective
    effectives[item] = effective
    line.append(
      Link(item: item, record: record, effective: effective, rank: rank, isAboveSigner: isAboveSigner))
    owesIncarnation = false
  }

  private mutating func cancelPending() {
    guard let item = pending else { return }
    statuses[item] = .cancelled
    effectives[item] = nil
    pending = nil
  }

  private mutating func drop(_ item: Int) {
    statuses[item] = .refused
    effectives[item] = nil
  }
}
