import Cryptography
import KeyRecords
import PeerstackFormat

/// Who can undo what: vetoes, and the one record with which an owner comes back.
extension Explorer {
  // MARK: Vetoes

  /// A record with which the holders of one tier alone could replace what is pending.
  func veto(at rank: Int, _ position: Position) -> KeyRecord? {
    let tier = position.authority.tiers[rank]
    let keys = keys(of: tier, position)
    guard tier == .signer else { return record(.recover, at: position, by: keys, bringing: .probe) }
    return position.isLocked ? nil : record(.amend, at: position, by: keys)
  }

  func checkVetoes(_ position: Position) {
    guard let pending = position.state.pending,
      let last = position.waiting(until: pending.effective - 1, "until it is almost due")
    else { return }
    for (rank, tier) in position.authority.tiers.enumerated() {
      if position.isContested, tier == .signer { continue }
      guard let veto = veto(at: rank, last), let acting = position.rank(of: veto.approving, under: policy) else {
        continue
      }
      guard acting <= pending.rank else {
        guard case .refused(let refusal) = offer(.record(veto), at: last) else {
          expect(.veto, false, last, "rank \(acting) replaced rank \(pending.rank)")
          continue
        }
        expect(.veto, refusal.code == .pendingExists || position.isContested, last, "\(refusal.code)")
        continue
      }
      guard let (after, _) = accept(.record(veto), at: last) else {
        expect(.veto, false, last, "rank \(acting) cannot replace rank \(pending.rank)")
        continue
      }
      checkStaysVetoed(pending, after)
    }
  }

  private func checkStaysVetoed(_ pending: UserState.Pending, _ after: Position) {
    for time in [after.now, pending.effective, after.now + World.muchLater] {
      let state = after.history.state(at: time)
      let status = state?.records.first { $0.record == pending.record }
      expect(.vetoed, status?.status == "cancelled" && status?.effective == nil, after, "\(status?.status ?? "gone")")
      expect(.vetoed, state?.record(at: 0) != nil && state?.head.hash != pending.record, after, "it is the head")
    }
    guard let entry = after.entry(of: pending.record), case .same = offer(entry.content, at: after) else {
      return expect(.vetoed, false, after, "offered again, it is new")
    }
  }

  // MARK: Regaining control

  /// For every quick tier above the signer of whose holders, and of those above, none is with the thief.
  func checkRegaining(_ position: Position) {
    guard !position.isRetired, cast.party(of: position.state.firstClaim.publicKey) == .owner else { return }
    let thiefs = thiefKeys(at: position)
    for (rank, tier) in position.authority.tiers.prefix(position.authority.signerRank).enumerated() {
      guard !isHeld(tier, by: thiefs) else { return }
      guard tier.delay == 0, position.state.pending.map({ $0.rank >= rank }) ?? true else { continue }
      regain(at: rank, tier, position, thiefs)
    }
  }

  private func regain(at rank: Int, _ tier: Tier, _ position: Position, _ thiefs: Set<VerifyingKey>) {
    let keys = keys(of: tier, position).subtracting(thiefs)
    let tiers = Array(position.authority.tiers.prefix(rank + 1)) + [.signer]
    let recovery = record(.recover, at: position, by: keys, bringing: .owner) { draft in
      draft.reason = .compromised
      draft.compromised = World.theft
      draft.authority = Authority(tiers: tiers) ?? draft.authority
    }
    guard let recovery, let (after, acceptance) = accept(.record(recovery), at: position) else {
      return expect(.regain, false, position, "refused at rank \(rank)")
    }
    let state = after.state
    expect(.regain, acceptance.effect == .effective && state.head.hash == recovery.hash, after, "not at once")
    expect(.regain, state.currentKey?.publicKey == recovery.publicKey, after, "another key is in force")
    expect(.regain, state.pending == nil, after, "something is still pending")
    checkFates(after, boundaryRank: rank)
    checkMeanwhile(before: position, after, boundaryRank: rank)
    for delay in [0, World.hour, World.muchLater] { checkSurvival(of: thiefs, after, recovery, after: delay) }
  }

  /// Nothing the thief can make is accepted, and nothing that the thief has made takes effect.
  private func checkSurvival(
    of thiefs: Set<VerifyingKey>, _ position: Position, _ recovery: KeyRecord, after delay: Milliseconds
  ) {
    guard let later = position.waiting(until: position.now + delay, "\(delay / World.hour) hours later") else { return }
    expect(
      .survive, later.head.hash == recovery.hash && later.state.currentKey?.publicKey == recovery.publicKey, later,
      "another head")
    expect(.survive, later.state.pending == nil, later, "something is pending")
    let attempts: [KeyRecord.Action] = [.rotate, .recover, .revoke, .retire]
    for action in attempts {
      guard let attempt = record(action, at: later, by: thiefs, bringing: .thief) else { continue }
      guard case .accepted = offer(.record(attempt), at: later) else {
        expect(.survive, true, later, "")
        continue
      }
      expect(.survive, false, later, "the thief's \(action) is accepted")
    }
  }

  /// Which keys the boundary makes void.
  private func checkFates(_ position: Position, boundaryRank: Int) {
    for key in position.state.keys where key.publicKey != position.head.publicKey {
      let name = cast.name(of: key.publicKey)
      let entry = position.entries.first {
        $0.record?.publicKey == key.publicKey && $0.record?.action.bringsKey == true
      }
      switch cast.party(of: key.publicKey) {
      case .thief, .admin: expect(.void, key.fate == .void && key.compromised == nil, position, "\(name): \(key.fate)")
      case .owner where key.from < World.theft: expect(.void, key.fate != .void, position, "\(name) is void")
      case .owner:
        // What the owner did with the signing key meanwhile nobody can tell from what the thief did.
        let isCovered = entry?.record?.action != .claim && (entry?.rank ?? .max) > boundaryRank
        expect(.void, (key.fate == .void) == isCovered, position, "\(name): \(key.fate)")
      default: break
      }
    }
  }

  /// The key in force at the theft has not been ended by anybody below, nor made to expire; what it signed is suspect.
  private func checkMeanwhile(before: Position, _ position: Position, boundaryRank: Int) {
    guard let key = position.state.keys.last(where: { $0.from < World.theft }) else { return }
    let endedAbove = position.state.records.contains { status in
      guard status.status == "effective", let entry = position.entry(of: status.record), let record = entry.record,
        let rank = entry.rank, rank <= boundaryRank, let effective = status.effective, effective >= World.theft
      else { return false }
      return record.action != .amend && record.hash != position.head.hash
    }
    if !endedAbove {
      expect(.suspect, key.until == position.now, position, "ended at \(key.until ?? -1)")
      expect(.suspect, key.fate == .retired, position, "\(key.fate)")
    }
    // A key that ended at the theft was not in force after it.
    guard (key.until ?? .max) > World.theft else { return }
    expect(.suspect, key.compromised == World.theft, position, "compromised from \(key.compromised ?? -1)")
    let claim = position.state.firstClaim
    expect(.suspect, key.publicKey != claim.publicKey || key.expires == claim.expires, position, "made to expire")
    for (seen, isValid) in [(nil, false), (World.theft, false), (World.theft - 1, true)] as [(Milliseconds?, Bool)] {
      let judged = position.state.judgeObject(
        modified: Double(World.theft), evidence: ObjectEvidence(seen: seen), now: position.now
      ) { $0 == key.publicKey }
      let expected: ObjectVerdict = isValid && !position.isContested ? .valid : .suspect
      expect(.suspect, judged.verdict == expected, position, "\(judged.verdict), seen \(seen ?? -1)")
    }
  }
}
