import Cryptography
import KeyRecords
import PeerstackFormat

/// What must hold in every position that the parties can bring about.
enum Check: String, CaseIterable {
  case replay = "the log replays to the live state, also for a client"
  case linear = "the history is linear"
  case staleHead = "nothing builds on an older head"
  case authorised = "a record acts at the rank of its approvals, and as that rank may"
  case delay = "a record takes effect after its tier's delay"
  case protected = "no record weakens a tier above its own"
  case notTooStrict = "what the rules allow is accepted"
  case dateBack = "a thief cannot date back"
  case regain = "the holder of a quick tier above the signer regains control with one record, at once"
  case survive = "whoever holds only lower tiers never survives it, then or 40 days later"
  case void = "strangers' keys of after the stated theft are void, the owner's are not"
  case suspect = "what the owner signed meanwhile is at worst suspect"
  case veto = "a pending record can be vetoed by its own rank and above, and by nobody else"
  case vetoed = "a vetoed record never takes effect"
  case due = "a pending record takes effect by the clock alone"
  case onePending = "at most one record is pending"
  case retired = "retired stays retired"
  case boundClaim = "a bound id can always be claimed by its owner"
  case keyReuse = "a key is used once"
  case sameAgain = "a repeated record is answered as the first time"
  case incarnation = "incarnation rises when continuity was broken, and only then"
  case currentKey = "an active user has one key in force, nobody else has any"
  case contest = "a contest is shown, decided once, and lapses in favour of the first claim"
}

extension Explorer {
  /// Holds everything against a position.
  func check(_ position: Position) {
    checkState(position)
    checkNoFalseVoid(position)
    checkTime(position)
    checkRepetition(position)
    checkVetoes(position)
    checkRegaining(position)
    if world.isSquatted { checkBoundClaim(position) }
    if position.isRetired { checkRetired(position) }
  }

  private func checkState(_ position: Position) {
    let state = position.state
    var previous: KeyRecord?
    for sequence in 0...state.head.sequence {
      let record = state.record(at: sequence)
      expect(
        .linear, record?.sequence == sequence && record?.previous == previous?.hash, position, "at \(sequence)")
      previous = record
    }
    expect(.linear, previous?.hash == state.head.hash, position, "the head is not the last of the line")
    let effective = state.records.filter { $0.status == "effective" }.filter {
      position.entry(of: $0.record)?.record != nil
    }
    expect(.linear, Int64(effective.count) == state.head.sequence + 1, position, "records in effect beside the line")
    let current = state.keys.filter { $0.fate == .current }
    let isOpen = !position.isLocked && !position.isRetired
    expect(.currentKey, current.count == (isOpen ? 1 : 0), position, "\(current.count) keys in force")
    expect(
      .currentKey, !isOpen || current.last?.publicKey == state.head.publicKey, position, "not the head's key in force")
    let waiting = state.records.filter { $0.status == "pending" && position.entry(of: $0.record)?.effective != nil }
    expect(.onePending, waiting.map(\.record) == (state.pending.map { [$0.record] } ?? []), position, "pending")
    let isSettled = state.status == .contested || state.claims == nil
    expect(.contest, isSettled && (state.claims.map { $0.count >= 2 } ?? true), position, "\(state.status)")
  }

  /// No key is void but by a boundary that a tier above the signer has stated.
  private func checkNoFalseVoid(_ position: Position) {
    guard position.state.keys.contains(where: { $0.fate == .void }) else { return }
    let isStated = position.entries.contains { entry in
      guard let record = entry.record, let rank = entry.rank, record.reason == .compromised,
        let before = position.state.record(at: record.sequence - 1), before.hash == record.previous
      else { return false }
      return rank < before.authority.signerRank
    }
    expect(.void, isStated, position, "a key is void, and nobody has said so")
  }

  private func checkTime(_ position: Position) {
    guard let next = position.history.nextChange(after: position.now) else { return }
    expect(
      .due, position.history.state(at: next - 1)?.snapshot == position.state.snapshot, position,
      "it changed before its time")
    expect(
      .due, position.history.state(at: next)?.snapshot != position.state.snapshot, position, "nothing changed in time")
    guard let pending = position.state.pending else { return }
    let before = position.history.state(at: pending.effective - 1)
    let after = position.history.state(at: pending.effective)
    expect(.due, before?.head.hash != pending.record && after?.head.hash == pending.record, position, "not then")
  }

  /// §5.2, §5.4 and §5.10.
  private func checkRepetition(_ position: Position) {
    for entry in position.entries {
      guard case .same(let first) = offer(entry.content, at: position) else {
        expect(.sameAgain, false, position, "entry \(entry.index)")
        continue
      }
      expect(.sameAgain, first.index == entry.index, position, "entry \(entry.index)")
    }
    guard !position.isRetired, !position.isContested, position.state.pending == nil else { return }
    let (rank, keys) = topTier(position)
    if let before = position.state.record(at: position.head.sequence - 1), !position.isLocked,
      let stale = record(.recover, at: position, by: keys, bringing: .probe, change: { $0.previous = before.hash })
    {
      guard case .refused(let refusal) = offer(.record(stale), at: position) else {
        return expect(.staleHead, false, position, "accepted")
      }
      expect(.staleHead, refusal.code == .staleHead, position, "\(refusal.code)")
    }
    let action: KeyRecord.Action = position.authority.tiers[rank] == .signer ? .rotate : .recover
    guard !position.isLocked || action == .recover else { return }
    for (key, box) in reuses(position) {
      let reused = record(action, at: position, by: keys, bringing: .probe) { draft in
        draft.publicKey = key ?? draft.publicKey
        draft.publicBoxKey = box ?? draft.publicBoxKey
      }
      guard let reused, case .refused(let refusal) = offer(.record(reused), at: position) else {
        expect(.keyReuse, false, position, "accepted")
        continue
      }
      expect(.keyReuse, refusal.code == .keyReused, position, "\(refusal.code)")
    }
  }

  private func reuses(_ position: Position) -> [(VerifyingKey?, PublicBoxKey?)] {
    guard let first = position.usedKeys.first, let last = position.usedKeys.last else { return [] }
    return [(first, nil), (last, nil), (nil, cast.boxKey(of: first)), (nil, cast.boxKey(of: last))]
  }

  /// The highest tier and all its keys.
  private func topTier(_ position: Position) -> (rank: Int, keys: Set<VerifyingKey>) {
    (0, keys(of: position.authority.tiers[0], position))
  }

  /// All keys that a tier is about.
  func keys(of tier: Tier, _ position: Position) -> Set<VerifyingKey> {
    switch tier {
    case .keys(_, let keys, _, _): Set(keys)
    case .signer: [position.head.publicKey]
    case .registrar: Set(policy.admins.keys)
    }
  }

  private func checkRetired(_ position: Position) {
    let later = position.history.state(at: position.now + World.muchLater)
    expect(.retired, later?.head.action == .retire && later?.pending == nil, position, "after 40 days")
  }

  private func checkBoundClaim(_ position: Position) {
    let isOwners = position.state.firstClaim.publicKey == cast.key("O0")
    let claim = ownersClaim(at: position)
    let verdict = offer(.record(claim), at: position)
    guard !isOwners else {
      if case .same = verdict { return }
      guard case .refused(let refusal) = verdict else { return expect(.boundClaim, false, position, "claimed twice") }
      let code: ProblemCode = position.isRetired ? .retired : .idTaken
      return expect(.boundClaim, refusal.code == code, position, "\(refusal.code)")
    }
    guard let (after, acceptance) = accept(.record(claim), at: position) else {
      return expect(.boundClaim, false, position, "refused")
    }
    expect(.boundClaim, acceptance.effect == .effective && after.state.status == .active, position, "not in effect")
    expect(.boundClaim, after.head.hash == claim.hash && after.state.keys.count == 1, position, "others' records stand")
    let others = after.state.records.filter { $0.record != claim.hash && after.entry(of: $0.record)?.record != nil }
    expect(
      .boundClaim, others.allSatisfy { $0.status == "refused" || $0.status == "cancelled" }, position,
      "others' records have effect")
  }
}
