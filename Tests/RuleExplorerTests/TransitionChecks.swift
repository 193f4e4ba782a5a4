import Cryptography
import KeyRecords
import PeerstackFormat

/// What must hold of every step: of what was accepted, and of what was refused.
extension Explorer {
  /// Holds the checks against an entry and where it led.
  func checkAcceptance(_ acceptance: Acceptance, of entry: Entry, from before: Position, to after: Position) {
    checkReplay(entry, from: before, to: after)
    checkReplaced(entry, from: before, to: after)
    guard let record = entry.record else { return checkAdjudication(entry, from: before, to: after) }
    if record.action == .claim { return checkClaim(record, acceptance, from: before, to: after) }
    let head = before.head
    expect(
      .linear, record.previous == head.hash && record.sequence == head.sequence + 1, after, "built on another record")
    expect(.retired, !before.isRetired, after, "a \(record.action) after the end")
    let rank = before.rank(of: record.approving, under: policy)
    expect(.authorised, acceptance.rank == rank, after, "rank \(acceptance.rank ?? -1), not \(rank ?? -1)")
    guard let rank else { return }
    let tier = before.authority.tiers[rank]
    expect(.authorised, isAllowed(record.action, at: rank, before), after, "a \(record.action) at rank \(rank)")
    let isRestated = record.authority.tiers.prefix(rank).elementsEqual(before.authority.tiers.prefix(rank))
    expect(.protected, isRestated, after, "changed by rank \(rank)")
    expect(
      .delay, acceptance.effective == before.now + tier.delay && acceptance.tier == tier, after,
      "in effect at \(acceptance.effective ?? -1)")
    expect(.delay, (acceptance.effect == .pending) == (tier.delay > 0), after, "\(acceptance.effect)")
    checkBoundary(record, rank, from: before, to: after)
    checkIncarnation(record, tier, from: before, to: after)
    let isNew = !record.action.bringsKey || !before.usedKeys.contains(record.publicKey)
    expect(.keyReuse, isNew, after, "brought in again: \(cast.name(of: record.publicKey))")
    checkStoppable(acceptance, at: after)
  }

  /// §5.5.
  private func isAllowed(_ action: KeyRecord.Action, at rank: Int, _ position: Position) -> Bool {
    if position.isLocked, action != .recover, action != .retire { return false }
    let signerRank = position.authority.signerRank
    return switch action {
    case .claim: false
    case .rotate: rank == signerRank
    case .recover: rank != signerRank
    case .amend: true
    case .revoke: rank <= signerRank
    case .retire: rank == 0
    }
  }

  /// A client that judges the entry where the registrar did comes to the same state.
  private func checkReplay(_ entry: Entry, from before: Position, to after: Position) {
    var replayed = before.history
    do {
      try replayed.replay(entry, under: policy)
      expect(.replay, replayed.state(at: after.now)?.snapshot == after.state.snapshot, after, "another state")
    } catch {
      expect(.replay, false, after, error.reason)
    }
    // What has passed is not changed by what comes.
    let past = replayed.prefix(throughIndex: entry.index - 1).state(at: before.now)
    expect(.replay, past?.snapshot == before.state.snapshot, after, "another past")
  }

  /// What was pending has been replaced; what was cancelled or refused has stayed so.
  private func checkReplaced(_ entry: Entry, from before: Position, to after: Position) {
    for old in before.state.records where old.status == "cancelled" || old.status == "refused" {
      let isSame = after.status(of: old.record)?.status == old.status
      expect(.vetoed, isSame, after, "entry \(old.index) is no longer \(old.status)")
    }
    let isJoining = before.isContested && entry.record?.action == .claim && entry.effective == nil
    guard let pending = before.state.pending, !isJoining else { return }
    let isGone = ["cancelled", "refused"].contains(after.status(of: pending.record)?.status)
    expect(.vetoed, isGone, after, "a replaced record is \(after.status(of: pending.record)?.status ?? "nowhere")")
    if let rank = entry.rank { expect(.veto, rank <= pending.rank, after, "rank \(rank) replaced \(pending.rank)") }
  }

  private func checkClaim(_ record: KeyRecord, _ acceptance: Acceptance, from before: Position, to after: Position) {
    if acceptance.effect == .effective {
      expect(.boundClaim, BoundID.isBound(record), after, "a claim that is not bound took over")
      expect(.boundClaim, after.head.hash == record.hash, after, "the history does not begin with it")
      return
    }
    let windowEnd = (before.entries.first?.accepted ?? 0) + world.contestWindow
    expect(.contest, before.now < windowEnd, after, "a rival after the window")
    expect(.contest, !BoundID.isBound(before.state.firstClaim), after, "a rival of a bound claim")
    let claims = after.state.claims ?? []
    expect(.contest, claims.last == record.hash && after.state.status == .contested, after, "it is not shown")
    expect(.contest, claims.first == before.state.firstClaim.hash, after, "the first claim is not the first")
    expect(.contest, after.head.hash == before.head.hash, after, "a rival changed the head")
    expect(.contest, after.state.pending == nil || before.isContested, after, "something stayed pending")
    let end = (before.isContested ? before.history.nextChange(after: before.now) : nil) ?? before.now + 30 * World.day
    let lapsed = after.history.state(at: after.now + World.muchLater)
    expect(.contest, after.history.state(at: end - 1)?.claims != nil || before.isContested, after, "it lapsed early")
    expect(.contest, lapsed?.claims == nil && lapsed?.firstClaim.hash == claims.first, after, "it never lapses")
  }

  /// §6: what wins stands, what loses is refused.
  private func checkAdjudication(_ entry: Entry, from before: Position, to after: Position) {
    guard case .adjudication(let adjudication) = entry.content, let claims = before.state.claims else {
      return expect(.contest, false, after, "decided without a contest")
    }
    let windowEnd = (before.entries.first?.accepted ?? 0) + world.contestWindow
    expect(.contest, before.now >= windowEnd, after, "decided before the window ended")
    expect(.contest, after.state.claims == nil && after.state.pending == nil, after, "it goes on")
    expect(.contest, after.state.firstClaim.hash == adjudication.winner, after, "the winner does not stand")
    for claim in claims where claim != adjudication.winner {
      expect(.contest, after.status(of: claim)?.status == "refused", after, "a loser stands")
    }
    let hasFirstWon = adjudication.winner == claims.first
    for record in before.state.records where before.entry(of: record.record)?.record?.action != .claim {
      let expected =
        switch record.status {
        case "effective" where before.entry(of: record.record)?.record == nil: "effective"
        case "effective": hasFirstWon ? "effective" : "refused"
        case "pending": hasFirstWon ? "cancelled" : "refused"
        default: record.status
        }
      expect(
        .contest, after.status(of: record.record)?.status == expected, after,
        "entry \(record.index) is \(after.status(of: record.record)?.status ?? "?") after the decision")
    }
    expect(.contest, after.owesIncarnation, after, "nothing has to rise")
  }

  /// A boundary is stated above the signer's rank only; by a thief not for a time before the theft.
  private func checkBoundary(_ record: KeyRecord, _ rank: Int, from before: Position, to after: Position) {
    guard let boundary = record.compromised else { return }
    let isAbove = rank < before.authority.signerRank
    expect(.dateBack, isAbove && boundary <= before.now, after, "stated at rank \(rank)")
    let isThiefs = before.authority.tiers[rank] == thiefTier
    expect(
      .dateBack, !isThiefs || hasThiefOriginalTier || boundary >= World.theft, after, "dated back to \(boundary)")
  }

  /// Whether the thief's friends hold a tier above the signer that the owner put there: it may date back as far as it
  /// likes, and hands that on.
  private var hasThiefOriginalTier: Bool {
    world.tiers.prefix(world.authority.signerRank).contains { isHeld($0, by: cast.keys(world.colluders)) }
  }

  private func checkIncarnation(_ record: KeyRecord, _ tier: Tier, from before: Position, to after: Position) {
    var isBroken = before.owesIncarnation
    if case .registrar = tier { isBroken = true }
    expect(
      .incarnation, record.incarnation == before.head.incarnation + (isBroken ? 1 : 0), after,
      "\(record.incarnation) after \(before.head.incarnation)")
  }

  /// `stoppableBy` names exactly the ranks that can replace what is pending.
  private func checkStoppable(_ acceptance: Acceptance, at after: Position) {
    guard acceptance.effect == .pending else {
      return expect(.veto, acceptance.stoppableBy == nil, after, "in effect, and stoppable")
    }
    let able = after.authority.tiers.indices.filter { rank in
      veto(at: rank, after).map { accept(.record($0), at: after) != nil } ?? false
    }
    expect(.veto, acceptance.stoppableBy == able, after, "\(acceptance.stoppableBy ?? []), not \(able)")
  }

  // MARK: Refusals

  /// A record that breaks no rule is not refused.
  func checkRefusal(_ refusal: Refusal, of submission: Submission, at position: Position, _ move: Move) {
    guard case .record(let record) = submission, record.action != .claim else { return }
    let reason = reasonToRefuse(record, at: position)
    expect(.notTooStrict, reason != nil, position, "\(move.name): \(refusal.code)")
    guard let reason, reason != .boundaryRefused || refusal.code != .boundaryRefused else { return }
    expect(.notTooStrict, refusal.code == reason, position, "\(move.name): \(refusal.code), not \(reason)")
  }

  /// The first rule that a record on the head breaks, as far as the moves can break one.
  private func reasonToRefuse(_ record: KeyRecord, at position: Position) -> ProblemCode? {
    if position.isRetired { return .retired }
    let rank = position.rank(of: record.approving, under: policy)
    let signerRank = position.authority.signerRank
    if position.isContested, record.action != .revoke, rank.map({ $0 >= signerRank }) ?? true { return .contested }
    guard let rank, isAllowed(record.action, at: rank, position) else { return .notAuthorised }
    if !record.authority.tiers.prefix(rank).elementsEqual(position.authority.tiers.prefix(rank)) {
      return .tierProtected
    }
    if let pending = position.state.pending, pending.rank < rank { return .pendingExists }
    if let expires = record.expires, expires != position.head.expires {
      if expires <= position.now + position.authority.tiers[rank].delay { return .invalidField }
    }
    guard let boundary = record.compromised else { return nil }
    // How early the thief's tier may date is not told here: `dateBack` says when it was too early.
    let isTooEarly = position.authority.tiers[rank] == thiefTier && boundary < position.now
    if rank >= signerRank || boundary > position.now || isTooEarly { return .boundaryRefused }
    return nil
  }
}
