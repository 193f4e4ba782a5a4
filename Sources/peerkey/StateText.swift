import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// Keys as texts.
enum KeyText {
  /// Characters that tell keys apart for people.
  private static let shortCount = 12

  static func text(_ key: VerifyingKey) -> String { Base64.encode(key.bytes32) }

  static func short(_ key: VerifyingKey) -> String { text(key).prefix(shortCount) + "…" }
}

extension Tier {
  /// For people: `paper (1 key)`, `friends (2 of 3 keys, 3 days delay)`.
  var words: String {
    switch self {
    case .signer: return "signer (the key in force)"
    case .registrar(let delay): return "registrar (the app's admins, \(TimeWords.span(delay)) delay)"
    case .keys(let name, let keys, let threshold, let delay):
      let count = keys.count == 1 ? "1 key" : "\(threshold) of \(keys.count) keys"
      return "\(name) (\(count)\(delay > 0 ? ", \(TimeWords.span(delay)) delay" : ""))"
    }
  }

  /// What a person calls it.
  var name: String {
    switch self {
    case .signer: "signer"
    case .registrar: "registrar"
    case .keys(let name, _, _, _): name
    }
  }

  /// How many approvals are missing.
  ///
  /// - Parameter signer: The key in force; nil if there is none.
  func missing(from approving: Set<VerifyingKey>, signer: VerifyingKey?, admins: Admins?) -> Int {
    switch self {
    case .signer: signer.map { approving.contains($0) ? 0 : 1 } ?? 1
    case .keys(_, let keys, let threshold, _): max(0, threshold - keys.count(where: approving.contains))
    case .registrar: admins?.missing(from: approving) ?? 1
    }
  }
}

extension ResolvedUser {
  /// The fields that `show`, `resolve` and changes have in common.
  var json: [(JSONString, JSONValue)] {
    [
      ("bound", .bool(isBound)), ("registrar", registrar.map { .text($0) } ?? .null),
      ("asOf", ["index": .integer(judged.asOf.index), "time": .integer(judged.asOf.time)]),
      ("freshness", .text(freshness.rawValue)), ("checked", checked.map { .integer($0) } ?? .null),
      ("state", state.json),
    ] + hintJSON
  }

  /// What a registrar that the user's record names shows: nothing unless it is something new.
  private var hintJSON: [(JSONString, JSONValue)] {
    var members: [(JSONString, JSONValue)] = []
    if let update = hintedUpdate {
      members.append(
        (
          "hint",
          [
            "registrar": .text(update.source), "head": .text(update.judged.state.head.hash.hex),
            "sequence": .integer(update.judged.state.head.sequence),
            "status": .text(update.judged.state.status.rawValue),
          ]
        ))
    }
    if !disagreements.isEmpty {
      members.append(("disagreements", .array(disagreements.map { .text($0.reason) })))
    }
    return members
  }

  private var hintLines: [String] {
    let update = hintedUpdate.map { update in
      let head = update.judged.state.head
      return "hint        \(update.source), which the record names, has more: \(head.action.rawValue), record "
        + "\(head.sequence), \(update.judged.state.status.rawValue); the registrar has not confirmed it"
    }
    return [update].compactMap(\.self) + disagreements.map { "DISAGREE    \($0.reason)" }
  }

  /// The state for people.
  ///
  /// - Parameter held: Keys of the keystore, which are marked; nil without one.
  func lines(held: Set<VerifyingKey>? = nil) -> [String] {
    var lines = [
      "status      \(state.status.rawValue)\(isBound ? "" : "; the id does not prove its first key")",
      "record      \(state.head.sequence) (\(state.head.hash.hex.prefix(12))…)",
    ]
    if freshness == .stale, let checked {
      lines.append("confirmed   \(TimeWords.utc(checked)), \(TimeText.age(of: checked)) ago, and not since")
    }
    if state.head.incarnation > 0 { lines.append("continuity  broken \(state.head.incarnation) time(s)") }
    for (rank, tier) in state.head.authority.tiers.enumerated() {
      lines.append((rank == 0 ? "may act     " : "            ") + "\(rank) \(tier.words)")
    }
    if let pending = state.pending {
      lines.append("pending     at rank \(pending.rank), takes effect \(TimeWords.utc(pending.effective))")
    }
    for (place, key) in state.keys.enumerated() {
      lines.append((place == 0 ? "keys        " : "            ") + Self.line(key, held: held))
    }
    return lines + hintLines
  }

  private static func line(_ key: KeyInterval, held: Set<VerifyingKey>?) -> String {
    var line = "\(KeyText.text(key.publicKey)) \(key.fate.rawValue), from \(TimeWords.utc(key.from))"
    if let until = key.until { line += " until \(TimeWords.utc(until))" }
    if let expires = key.expires { line += ", expires \(TimeWords.utc(expires))" }
    if let compromised = key.compromised { line += ", in wrong hands from \(TimeWords.utc(compromised))" }
    if let held { line += held.contains(key.publicKey) ? ", in this keystore" : ", NOT in this keystore" }
    return line
  }
}

extension OwnKeys {
  /// The report of a change.
  func report(_ result: ChangeResult, lines extra: [String] = [], json: [(JSONString, JSONValue)] = []) -> Report {
    let record = result.record
    let acceptance = result.acceptance
    var members: [(JSONString, JSONValue)] = [
      ("id", .text(id.text)), ("app", .text(app.text)), ("action", .text(record.action.rawValue)),
      ("dryRun", .bool(result.entry == nil)), ("effect", .text(acceptance.effect.rawValue)),
      ("rank", acceptance.rank.map { .integer(Int64($0)) } ?? .null), ("tier", acceptance.tier?.json ?? .null),
      ("effective", (result.entry.map(\.effective) ?? acceptance.effective).map { .integer($0) } ?? .null),
      ("stoppableBy", acceptance.stoppableBy.map { .array($0.map { .integer(Int64($0)) }) } ?? .null),
      ("sequence", .integer(record.sequence)), ("publicKey", .text(KeyText.text(record.publicKey))),
    ]
    if let entry = result.entry {
      members += [("record", .text(record.hash.hex)), ("index", .integer(entry.index))]
    }
    members += json
    if let known { members += known.json }
    return Report(
      status: result.isPending ? .pending : .done, json: JSONObject(members),
      lines: [sentence(result)] + tierLines(result) + extra)
  }

  private func sentence(_ result: ChangeResult) -> String {
    let action = result.record.action
    let place = "\(id) in \(app)"
    guard result.entry != nil else {
      return "\(action.rawValue) \(place): would be accepted (nothing was done)"
    }
    if result.acceptance.effect == .contest {
      return "\(action.rawValue) \(place): a rival claim is open; the app's admins decide"
    }
    if result.isPending { return "\(action.rawValue) \(place): accepted, not in effect yet" }
    switch action {
    case .claim: return "claimed \(place)"
    case .rotate: return "rotated the key of \(place): \(KeyText.short(result.record.publicKey)) is in force"
    case .recover: return "recovered \(place): \(KeyText.short(result.record.publicKey)) is in force"
    case .amend: return "amended \(place)"
    case .revoke: return "revoked the key of \(place): it is locked until peerkey recover"
    case .retire: return "retired \(place) for good"
    }
  }

  private func tierLines(_ result: ChangeResult) -> [String] {
    guard let rank = result.acceptance.rank, let tier = result.acceptance.tier else { return [] }
    var lines = ["by tier \(rank): \(tier.words)"]
    if let effective = result.acceptance.effective, let stoppable = result.acceptance.stoppableBy {
      let names = stoppable.compactMap { rank in
        (known?.state.head.authority.tiers).flatMap { $0.indices.contains(rank) ? "\(rank) \($0[rank].name)" : nil }
      }
      lines.append(
        "takes effect \(TimeWords.utc(effective)); until then it can be stopped by \(names.joined(separator: ", "))")
    }
    return lines
  }
}
