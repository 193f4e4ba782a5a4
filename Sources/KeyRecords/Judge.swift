import Cryptography
import PeerstackFormat

/// What a submission is judged against, beside the user's own history.
public struct Circumstances: Sendable {
  /// What only the registrar can see (protocol §5, last paragraph).
  public struct RegistrarView: Sendable {
    /// Whether the record's `publicKey` is or was another user's signing key in this app (§5.10).
    public var isKeyUsedElsewhere: Bool
    /// The invitation that came with the record: absent, or whatever ``Invitation/verify(_:)`` made of it.
    public var invitation: Result<Invitation, Refusal>?
    /// Whether a claim was accepted with the invitation's nonce before.
    public var isNonceUsed: Bool

    /// What the registrar sees.
    public init(
      isKeyUsedElsewhere: Bool, invitation: Result<Invitation, Refusal>? = nil, isNonceUsed: Bool = false
    ) {
      self.isKeyUsedElsewhere = isKeyUsedElsewhere
      self.invitation = invitation
      self.isNonceUsed = isNonceUsed
    }
  }

  /// The clock: the registrar's, or for a client the entry's `accepted`.
  public var now: Milliseconds
  /// The policy in force.
  public var policy: PolicyRules
  /// Nil for a client, which cannot judge admission, rates and keys of other users.
  public var registrarView: RegistrarView?

  /// The circumstances of one judgment.
  public init(now: Milliseconds, policy: PolicyRules, registrarView: RegistrarView?) {
    self.now = now
    self.policy = policy
    self.registrarView = registrarView
  }
}

/// What accepting a submission does.
public struct Acceptance: Sendable, Hashable {
  /// How it takes effect.
  public enum Effect: String, Sendable, Hashable {
    /// At once.
    case effective
    /// Later, unless something replaces it.
    case pending
    /// It is a rival claim.
    case contest
  }

  /// How it takes effect.
  public let effect: Effect
  /// The rank it was authorised at; nil for claims and adjudications.
  public let rank: Int?
  /// The tier of that rank.
  public let tier: Tier?
  /// When it takes effect; nil for a rival claim.
  public let effective: Milliseconds?
  /// The ranks that could still replace it; nil unless it is pending.
  public let stoppableBy: [Int]?
}

/// What the rules say of a submission.
public enum Verdict: Sendable {
  /// It may be appended, with this effect.
  case accepted(Acceptance)
  /// It was accepted before: this is its entry (§5.2).
  case same(Entry)
  /// It may not, and nothing changes.
  case refused(Refusal)
}

/// Judges a record or an adjudication by the rules of protocol §5 and §6, in their order.
///
/// One pure function: the registrar calls it inside the transaction that locks the user, and every client on what it
/// receives. The form (§5.1) is what makes a ``Submission``; policies are judged by ``AppHistory``.
public func judge(_ submission: Submission, in history: KeyHistory, at circumstances: Circumstances) -> Verdict {
  if let item = history.items.first(where: { $0.entry.content.hash == submission.hash }) { return .same(item.entry) }
  do throws(Refusal) {
    try checkClock(submission.modified, now: circumstances.now)
    let judgment = Judgment(history: history, fold: Fold(history, at: circumstances.now), circumstances: circumstances)
    switch submission {
    case .record(let record) where record.action == .claim: return .accepted(try judgment.claim(record))
    case .record(let record): return .accepted(try judgment.record(record))
    case .adjudication(let adjudication): return .accepted(try judgment.adjudication(adjudication))
    case .policy: throw .invalidField("/type")
    }
  } catch {
    return .refused(error)
  }
}

/// `modified` within ±5 min of `now` (§5.2).
func checkClock(_ modified: Milliseconds, now: Milliseconds) throws(Refusal) {
  guard abs(modified - now) <= Limits.clockSkew else { throw Refusal(.clockSkew, ["now": .integer(now)]) }
}

/// One judgment under way.
struct Judgment {
  let history: KeyHistory
  let fold: Fold
  let circumstances: Circumstances

  var now: Milliseconds { circumstances.now }
  var policy: PolicyRules { circumstances.policy }

  // MARK: Claims

  /// §5.11, §5.3, §5.10, and §6 where it lets a claim in.
  func claim(_ record: KeyRecord) throws(Refusal) -> Acceptance {
    let isBound = try isBoundWhereItMatters(record)
    let isRival = try isRival(record, isBound: isBound)
    if let created = record.subject.created {
      guard created <= now + Limits.idAhead else { throw Refusal(.idInFuture, ["now": .integer(now)]) }
      if let since = policy.boundSince, created >= since, !isBound { throw Refusal(.idNotBound) }
    }
    try checkAdmission(of: record)
    if let expires = record.expires, expires <= now { throw .invalidField("/expires") }
    if !isBound { try checkKeyIsNew(record) }
    return Acceptance(
      effect: isRival ? .contest : .effective, rank: nil, tier: nil, effective: isRival ? nil : now, stoppableBy: nil)
  }

  /// Whether the id is bound to the claim: over a thousand hashes, spent where a rule depends on it.
  private func isBoundWhereItMatters(_ record: KeyRecord) throws(Refusal) -> Bool {
    guard let created = record.subject.created else { return false }
    let isDemanded = policy.boundSince.map { created >= $0 } ?? false
    let isKeyUsed = isKeyUsed(record)
    return (fold.head != nil || isDemanded || isKeyUsed) && BoundID.isBound(record)
  }

  /// Whether a claim opens or joins a contest; refuses one that may do neither and is not the first (§6).
  private func isRival(_ record: KeyRecord, isBound: Bool) throws(Refusal) -> Bool {
    guard let first = fold.firstClaim, let firstRecord = first.entry.record, let head = fold.head else { return false }
    let taken = Refusal(fold.isRetired ? .retired : .idTaken, ["head": .text(head.record.hash.hex)])
    guard !BoundID.isBound(firstRecord) else { throw taken }
    if isBound { return false }
    let isOpen = now < first.entry.accepted + first.policy.contestWindow
    guard isOpen, fold.contest != nil || !fold.hadContest else { throw taken }
    return true
  }

  private func checkAdmission(of record: KeyRecord) throws(Refusal) {
    guard let view = circumstances.registrarView, policy.admission == .invite else { return }
    guard case .success(let invitation) = view.invitation, !view.isNonceUsed,
      invitation.admits(record.subject, to: record.app, at: now, under: policy)
    else { throw Refusal(.admissionRefused) }
  }

  // MARK: Records

  /// §5.11, §5.3, §6 (`contested`), §5.4 … §5.10, §5.12.
  func record(_ record: KeyRecord) throws(Refusal) -> Acceptance {
    guard let head = fold.head else { throw Refusal(.unknownUser) }
    guard !fold.isRetired else { throw Refusal(.retired, ["head": .text(head.record.hash.hex)]) }
    let demands = Demands(record.approving, of: fold, policy: policy)
    try checkContest(record, demands, head.record)
    try checkPlace(of: record, after: head.record)
    let rank = try demands.authorisedRank(for: record.action, isLocked: fold.isLocked)
    let authority = head.record.authority
    guard record.authority.tiers.prefix(rank).elementsEqual(authority.tiers.prefix(rank)) else {
      throw Refusal(.tierProtected, ["rank": .integer(Int64(rank))])
    }
    let replaced = try checkPending(rank)
    let effective = now + authority.tiers[rank].delay
    try checkExpiry(of: record, after: head.record, effective: effective)
    try checkBoundary(of: record, rank: rank, signerRank: authority.signerRank)
    try checkIncarnation(of: record, after: head.record, tier: authority.tiers[rank])
    if record.action.bringsKey {
      try checkKeyIsNew(record)
      try checkBoxKeyIsNew(record)
    }
    let isImmediate = effective == now
    let isExempt = (record.action == .revoke && isImmediate) || replaced.map { $0 > rank } ?? false
    if !isExempt { try checkRate(rank, isAboveSigner: rank < authority.signerRank) }
    return Acceptance(
      effect: isImmediate ? .effective : .pending, rank: rank, tier: authority.tiers[rank], effective: effective,
      stoppableBy: isImmediate ? nil : (0...rank).filter { $0 != authority.signerRank || !fold.isLocked })
  }

  /// While claims are rivals, only a revocation and the tiers above the signer may act (§6).
  private func checkContest(_ record: KeyRecord, _ demands: Demands, _ head: KeyRecord) throws(Refusal) {
    guard let claims = fold.claimHashes, record.action != .revoke else { return }
    guard let rank = demands.rank, rank < head.authority.signerRank else {
      throw Refusal(.contested, ["claims": .array(claims.map { .text($0.hex) })])
    }
  }

  /// §5.4.
  private func checkPlace(of record: KeyRecord, after head: KeyRecord) throws(Refusal) {
    guard record.previous == head.hash, record.sequence == head.sequence + 1 else {
      throw Refusal(.staleHead, ["head": .text(head.hash.hex), "sequence": .integer(head.sequence)])
    }
    guard record.modified > head.modified else { throw Refusal(.clockSkew, ["after": .integer(head.modified)]) }
    guard !record.action.bringsKey else { return }
    guard record.publicKey == head.publicKey else { throw .invalidField("/publicKey") }
    guard record.publicBoxKey == head.publicBoxKey else { throw .invalidField("/publicBoxKey") }
  }

  /// §5.7. The rank of the record that would be replaced.
  private func checkPending(_ rank: Int) throws(Refusal) -> Int? {
    guard let item = fold.pending, let pendingRank = fold.items[item].entry.rank else { return nil }
    guard rank <= pendingRank else {
      throw Refusal(
        .pendingExists, ["rank": .integer(Int64(pendingRank)), "effective": fold.pendingEffective.json])
    }
    return pendingRank
  }

  /// §5.7: an expiry that is given for a new key, or changed, lies after the record takes effect.
  private func checkExpiry(of record: KeyRecord, after head: KeyRecord, effective: Milliseconds) throws(Refusal) {
    guard let expires = record.expires, record.action.bringsKey || expires != head.expires else { return }
    guard expires > effective else { throw .invalidField("/expires") }
  }

  /// §5.8.
  private func checkBoundary(of record: KeyRecord, rank: Int, signerRank: Int) throws(Refusal) {
    guard let boundary = record.compromised else { return }
    guard rank < signerRank, boundary <= now, boundary >= fold.floors[rank] else {
      throw Refusal(.boundaryRefused, ["pointer": "/compromised"])
    }
  }

  /// §5.9.
  private func checkIncarnation(of record: KeyRecord, after head: KeyRecord, tier: Tier) throws(Refusal) {
    var isBroken = fold.owesIncarnation
    if case .registrar = tier { isBroken = true }
    guard record.incarnation == head.incarnation + (isBroken ? 1 : 0) else { throw .invalidField("/incarnation") }
  }

  // MARK: Keys

  /// §5.10.
  private func checkKeyIsNew(_ record: KeyRecord) throws(Refusal) {
    if isKeyUsed(record) { throw Refusal(.keyReused, ["pointer": "/publicKey"]) }
  }

  private func isKeyUsed(_ record: KeyRecord) -> Bool {
    if circumstances.registrarView?.isKeyUsedElsewhere ?? false { return true }
    return fold.items.contains { $0.entry.record?.bringsIn(record.publicKey) ?? false }
  }

  private func checkBoxKeyIsNew(_ record: KeyRecord) throws(Refusal) {
    let isUsed = fold.items.contains { item in
      item.entry.record.map { $0.action.bringsKey && $0.publicBoxKey == record.publicBoxKey } ?? false
    }
    if isUsed { throw Refusal(.keyReused, ["pointer": "/publicBoxKey"]) }
  }

  // MARK: Adjudications

  /// §6, "Adjudication".
  func adjudication(_ adjudication: Adjudication) throws(Refusal) -> Acceptance {
    guard let contest = fold.contest, let claims = fold.claimHashes, claims.contains(adjudication.winner),
      let first = contest.claims.first.map({ fold.items[$0] })
    else { throw Refusal(.unknownRecord, ["pointer": "/winner"]) }
    guard now >= first.entry.accepted + first.policy.contestWindow else {
      throw Refusal(.contested, ["claims": .array(claims.map { .text($0.hex) })])
    }
    let missing = policy.admins.missing(from: adjudication.approving)
    guard missing == 0 else { throw Refusal(.notAuthorised, ["missing": .integer(Int64(missing))]) }
    return Acceptance(effect: .effective, rank: nil, tier: nil, effective: now, stoppableBy: nil)
  }
}

extension KeyRecord {
  /// Whether the record makes this key a signing key.
  func bringsIn(_ key: VerifyingKey) -> Bool { action.bringsKey && publicKey == key }
}
