import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// An entry of the feed as it is shown.
struct WatchedEntry {
  let entry: Entry
  /// The user as the rules judge the history now; nil where it was not asked for, or cannot be had.
  let known: ResolvedUser?
  /// Nil for an entry about somebody else.
  let isOwnDoing: Bool?
  /// Paper keys of this keystore.
  let paperKeys: [VerifyingKey]

  /// Whether it waits for its time.
  var isPending: Bool {
    guard let effective = entry.effective, effective > entry.accepted else { return false }
    guard let known else { return effective > SystemClock().now() }
    return known.state.pending?.record == entry.content.hash
  }

  var json: JSONValue {
    [
      "index": .integer(entry.index), "subject": entry.content.subject.map { .text($0.text) } ?? .null,
      "action": .text(entry.action), "record": .text(entry.content.hash.hex),
      "sequence": entry.record.map { .integer($0.sequence) } ?? .null,
      "rank": entry.rank.map { .integer(Int64($0)) } ?? .null,
      "effective": entry.effective.map { .integer($0) } ?? .null, "pending": .bool(isPending), "text": .text(text),
      "own": .bool(isOwnDoing == true),
    ]
  }

  var line: String { "\(entry.index)  \(TimeWords.utc(entry.accepted))  \(text)" }

  /// What happened, in words.
  var text: String {
    let who = entry.content.subject.map(\.text) ?? "the app"
    var text = "\(who): \(deed)"
    if let rank = entry.rank { text += ", by tier \(tier(rank))" }
    if entry.record != nil, entry.effective == nil { text += "; a rival claim: the app's admins decide" }
    if isPending { text += pendingWords } else { text += pastWords }
    if isOwnDoing == false {
      text += "; THIS IS YOUR ID, AND THIS KEYSTORE DID NOT DO IT (record \(entry.content.hash.hex))"
    }
    return text
  }

  private var deed: String {
    switch entry.content {
    case .policy(let policy): return "its admins have set policy \(policy.sequence)"
    case .adjudication: return "the app's admins have decided between rival claims"
    case .record(let record):
      let reason = record.reason.map { " (\($0.rawValue))" } ?? ""
      let key = KeyText.short(record.publicKey)
      switch record.action {
      case .claim: return "claimed with key \(key)"
      case .rotate: return "rotated\(reason) to key \(key), record \(record.sequence)"
      case .recover: return "recovered\(reason) with key \(key), record \(record.sequence)"
      case .amend: return "amended who may act or when the key expires, record \(record.sequence)"
      case .revoke: return "revoked\(reason) key \(key), record \(record.sequence)"
      case .retire: return "retired for good, record \(record.sequence)"
      }
    }
  }

  private func tier(_ rank: Int) -> String {
    // The tiers may have changed since an entry that is in effect.
    guard isPending, let tiers = known?.state.head.authority.tiers, tiers.indices.contains(rank) else {
      return "\(rank)"
    }
    return "\(rank) \(tiers[rank].name)"
  }

  /// Until when it can be stopped, by whom, and how.
  private var pendingWords: String {
    guard let effective = entry.effective, let rank = entry.rank else { return "" }
    var words = "; PENDING until \(TimeWords.utc(effective)): until then it can be stopped"
    guard let state = known?.state else { return words + " by tiers 0 to \(rank)" }
    let authority = state.head.authority
    let stopping = (0...rank).filter { authority.tiers.indices.contains($0) }
      .filter { $0 != authority.signerRank || state.status != .locked }
    words += " by " + stopping.map { "\($0) \(authority.tiers[$0].name)" }.joined(separator: ", ")
    guard isOwnDoing != nil else { return words }
    let ways = stopping.compactMap { way(authority.tiers[$0]) }
    return ways.isEmpty ? words : words + ": " + ways.joined(separator: ", or ")
  }

  /// The command by which the owner stops a record at a tier.
  private func way(_ tier: Tier) -> String? {
    switch tier {
    case .signer: "peerkey amend (a veto with the key in force)"
    case .keys(_, let keys, let threshold, _):
      threshold == 1 && keys.contains(where: paperKeys.contains) ? "peerkey recover with the paper key" : nil
    case .registrar: nil
    }
  }

  /// What became of a record that was delayed and is shown later.
  private var pastWords: String {
    guard let effective = entry.effective, effective > entry.accepted else { return "" }
    let status = known?.state.records.first { $0.record == entry.content.hash }?.status ?? "effective"
    return "; was to take effect \(TimeWords.utc(effective)): \(status)"
  }
}
