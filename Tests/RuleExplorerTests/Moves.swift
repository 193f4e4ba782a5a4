import Cryptography
import KeyRecords

/// Who can do what. Every move that a party has the keys for is offered; what comes of it is the rules' to say.
extension Explorer {
  private typealias Change = (inout RecordDraft) -> Void

  /// All moves of all parties.
  func moves(at position: Position) -> [Move] {
    waits(at: position) + thiefMoves(at: position) + ownerMoves(at: position) + othersMoves(at: position)
  }

  /// Keys that the thief can sign with: the one that was stolen, those the thief brought in, and the colluders'.
  func thiefKeys(at position: Position) -> Set<VerifyingKey> {
    var keys = cast.keys(world.colluders)
    guard !world.isSquatted else { return keys }
    // The key in force at the theft is the newest that was brought in before.
    let stolen = position.entries.last { $0.accepted < World.theft && $0.record?.action.bringsKey == true }
    if let key = stolen?.record?.publicKey { keys.insert(key) }
    for key in position.usedKeys where cast.party(of: key) == .thief { keys.insert(key) }
    keys.insert(thiefTierKey)
    return keys
  }

  /// The key of the tier that a thief puts in; never a signing key.
  var thiefTierKey: VerifyingKey { cast.key("T\(Cast.keysPerParty - 1)") }

  var thiefTier: Tier { World.keys("thief", ["T\(Cast.keysPerParty - 1)"]) }

  private func waits(at position: Position) -> [Move] {
    var moves = [Move("an hour", .wait(until: position.now + World.hour))]
    if let due = position.history.nextChange(after: position.now) { moves.append(Move("until due", .wait(until: due))) }
    let windowEnd = (position.entries.first?.accepted ?? 0) + world.contestWindow
    if world.contestWindow > 0, windowEnd > position.now {
      moves.append(Move("until the window ends", .wait(until: windowEnd)))
    }
    return moves
  }

  private func offers(
    _ who: String, at position: Position, by keys: Set<VerifyingKey>, as party: Cast.Party,
    _ list: [(String, KeyRecord.Action, Change)]
  ) -> [Move] {
    list.compactMap { name, action, change in
      record(action, at: position, by: keys, bringing: party, change: change)
        .map { Move("\(who) \(name)", .offer(.record($0))) }
    }
  }

  private static func compromise(since time: Milliseconds?) -> Change {
    { draft in
      draft.reason = .compromised
      draft.compromised = time
    }
  }

  private static func authority(_ tiers: [Tier]) -> Change {
    { draft in
      if let authority = Authority(tiers: tiers) { draft.authority = authority }
    }
  }

  // MARK: The thief

  private func thiefMoves(at position: Position) -> [Move] {
    let keys = thiefKeys(at: position)
    guard !world.isSquatted else { return [] }
    let head = position.head.publicKey
    var moves: [Move] = []
    if keys.contains(head) { moves += withSigningKey(at: position, [head]) }
    let tierKeys = keys.subtracting([head])
    if position.authority.tiers.contains(where: { isHeld($0, by: tierKeys) }) {
      moves += withTier(at: position, tierKeys)
    }
    return moves
  }

  func isHeld(_ tier: Tier, by keys: Set<VerifyingKey>) -> Bool {
    guard case .keys(_, let tierKeys, let threshold, _) = tier else { return false }
    return keys.intersection(tierKeys).count >= threshold
  }

  private func withSigningKey(at position: Position, _ keys: Set<VerifyingKey>) -> [Move] {
    let authority = position.authority
    let above = Array(authority.tiers.prefix(authority.signerRank))
    let below = Array(authority.tiers.dropFirst(authority.signerRank))
    let inserted = Self.authority(above.filter { $0 != thiefTier } + [thiefTier] + below)
    let soon = position.now + World.hour
    return offers(
      "thief", at: position, by: keys, as: .thief,
      [
        ("rotates", .rotate, { _ in }),
        ("rotates, dating back", .rotate, Self.compromise(since: World.claimed)),
        ("rotates as compromised", .rotate, Self.compromise(since: nil)),
        ("amends nothing", .amend, { _ in }),
        ("puts a tier in", .amend, inserted),
        ("puts a tier on top", .amend, Self.authority([thiefTier] + above.filter { $0 != thiefTier } + below)),
        ("drops every other tier", .amend, Self.authority([.signer])),
        ("drops the tiers below", .amend, Self.authority(above + [.signer])),
        ("lets the key expire", .amend, { $0.expires = soon }),
        ("revokes", .revoke, { _ in }),
        ("revokes, dating back", .revoke, Self.compromise(since: World.claimed)),
        ("retires", .retire, { _ in }),
      ])
  }

  private func withTier(at position: Position, _ keys: Set<VerifyingKey>) -> [Move] {
    let rank = position.rank(of: keys, under: policy) ?? 0
    let taken = Self.authority(
      Array(position.authority.tiers.prefix(rank)).filter { $0 != .signer } + [thiefTier, .signer])
    return offers(
      "thief with a tier", at: position, by: keys, as: .thief,
      [
        ("recovers", .recover, { _ in }),
        ("takes over", .recover, taken),
        ("recovers, dating back", .recover, Self.compromise(since: World.claimed)),
        ("recovers, dating from now", .recover, Self.compromise(since: position.now)),
        ("revokes", .revoke, { _ in }),
        ("retires", .retire, { _ in }),
      ])
  }

  // MARK: The owner

  private func ownerMoves(at position: Position) -> [Move] {
    var moves: [Move] = []
    let head = position.head.publicKey
    if cast.party(of: head) == .owner {
      moves += offers(
        "owner", at: position, by: [head], as: .owner,
        [
          ("rotates", .rotate, { _ in }),
          ("rotates as compromised", .rotate, Self.compromise(since: nil)),
          ("amends nothing", .amend, { _ in }),
          ("revokes", .revoke, { _ in }),
        ])
    }
    for (name, keys) in [("paper", ["P0"]), ("vault", ["V0"]), ("friends", world.honestFriends)] {
      let keys = cast.keys(keys)
      guard position.authority.tiers.contains(where: { isHeld($0, by: keys) }) else { continue }
      moves += withOwnTier("owner with \(name)", at: position, keys)
    }
    return moves
  }

  private func withOwnTier(_ who: String, at position: Position, _ keys: Set<VerifyingKey>) -> [Move] {
    let restored = Self.authority(world.tiers)
    let since = Self.compromise(since: World.theft)
    return offers(
      who, at: position, by: keys, as: .owner,
      [
        ("recovers", .recover, { _ in }),
        (
          "recovers since the theft", .recover,
          { draft in
            since(&draft)
            restored(&draft)
          }
        ),
        ("revokes since the theft", .revoke, since),
        ("retires", .retire, { _ in }),
      ])
  }

  // MARK: Admins, rivals, and the owner of a bound id

  private func othersMoves(at position: Position) -> [Move] {
    var moves: [Move] = []
    if case .registrar = position.authority.tiers.last {
      moves += offers(
        "admins", at: position, by: [cast.key("A7")], as: .admin,
        [
          ("recover", .recover, { _ in }), ("recover, dating back", .recover, Self.compromise(since: World.claimed)),
        ])
    }
    guard world.contestWindow > 0 else { return moves }
    for claim in position.state.claims ?? [] {
      let name = position.entry(of: claim)?.record.map { cast.name(of: $0.publicKey) } ?? "?"
      moves.append(
        Move("admins decide for \(name)", .offer(.adjudication(adjudication(for: claim, at: position)))))
    }
    moves += rivalMoves(at: position)
    if world.isSquatted { moves.append(Move("owner claims", .offer(.record(ownersClaim(at: position))))) }
    return moves
  }

  private func rivalMoves(at position: Position) -> [Move] {
    var moves: [Move] = []
    let authority = Authority(tiers: [World.keys("paper", ["R7"]), .signer])
    let claims = position.entries.count { $0.record?.action == .claim }
    if let authority, let key = cast.freshKey(of: .rival, notIn: position.usedKeys), claims < 3 {
      moves.append(Move("rival claims", .offer(.record(claim(of: key, authority, at: position.now)))))
    }
    let head = position.head.publicKey
    guard cast.party(of: head) == .rival else { return moves }
    return moves
      + offers(
        "rival", at: position, by: [head], as: .rival,
        [("rotates", .rotate, { _ in }), ("amends nothing", .amend, { _ in }), ("revokes", .revoke, { _ in })])
      + offers(
        "rival with paper", at: position, by: cast.keys(["R7"]), as: .rival, [("retires", .retire, { _ in })])
  }

  /// The claim that the id of a squatted world is bound to.
  func ownersClaim(at position: Position) -> KeyRecord {
    made(claim(of: cast.key("O0"), world.authority, at: position.now), at: position)
  }
}
