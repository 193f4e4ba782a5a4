import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// Who approves a recovery, which tier that meets, and what is missing of the others.
struct RecoveryPlan {
  /// A recovery that waits for approvals.
  struct Waiting {
    let change: KeyChange
    let request: ApprovalRequest
  }

  let waiting: Waiting?
  private let state: UserState
  private let admins: Admins?
  private let paper: PaperKey?
  private let answers: [ApprovalAnswer]
  /// The rank that was asked for; nil for whichever is met first.
  private let wantedRank: Int?

  private var authority: Authority { state.head.authority }

  /// Looks at what is there.
  init(
    _ keys: OwnKeys, policy: PolicyRules?, tier: String?, paper: PaperKey?, answers: [ApprovalAnswer]
  ) throws {
    state = try keys.state()
    admins = policy?.admins
    self.paper = paper
    self.answers = answers
    let tiers = state.head.authority.tiers
    wantedRank = try tier.map { name in
      guard let rank = tiers.firstIndex(where: { $0.name == name && $0 != .signer }) else {
        let names = tiers.filter { $0 != .signer }.map(\.name).joined(separator: ", ")
        throw CommandFailure("there is no tier \(name): there are \(names)", code: "no-tier")
      }
      return rank
    }
    if let paper, !tiers.contains(where: { $0.names(paper.verifyingKey) }) {
      throw CommandFailure(
        "this paper key may not act for \(keys.id) (any more): look for a newer one, or ask friends", code: "paper-key")
    }
    waiting = keys.keystore.changes.last { $0.app == keys.app && $0.draft != nil }.flatMap { change in
      change.draft.flatMap { ApprovalRequest(draft: $0) }.map { Waiting(change: change, request: $0) }
    }
    try check(answers)
  }

  private func check(_ answers: [ApprovalAnswer]) throws {
    guard !answers.isEmpty else { return }
    guard let waiting else {
      throw CommandFailure(
        "no request of this keystore waits for approvals (they are good for ten minutes, and until the keys change): "
          + "run peerkey recover --request, and ask again", code: "no-request")
    }
    let hash = waiting.request.draft.approvalHash
    guard answers.allSatisfy({ $0.hash == hash }) else {
      throw CommandFailure(
        "an approval is for another request: ask for approvals of the one with the digits "
          + waiting.request.checkDigits, code: "approval")
    }
  }

  /// Who approves, beside the new key.
  private var approving: Set<VerifyingKey> {
    Set(answers.map(\.approval.publicKey) + (paper.map { [$0.verifyingKey] } ?? []))
  }

  /// The smallest rank whose demand is met; nil if that is none, or the signer's, by which nobody recovers.
  func applyingRank(with further: [VerifyingKey]) -> Int? {
    let met = authority.tiers.firstIndex { missing($0, approving.union(further)) == 0 }
    guard let met, met != authority.signerRank, wantedRank == nil || met == wantedRank else { return nil }
    return met
  }

  /// The tier that friends are asked for.
  var aimedRank: Int? {
    wantedRank
      ?? authority.tiers.firstIndex { tier in
        if case .keys(let name, _, _, _) = tier { name != DefaultAuthority.paperTier } else { false }
      }
  }

  /// How much `incarnation` rises in a draft for the aimed tier.
  var rise: Int64 {
    guard let rank = aimedRank, case .registrar = authority.tiers[rank] else { return 0 }
    return 1
  }

  /// A revoked key has no rank.
  private func missing(_ tier: Tier, _ approving: Set<VerifyingKey>) -> Int {
    tier.missing(from: approving, signer: state.currentKey?.publicKey, admins: admins)
  }

  func approvals(of draft: Draft) -> [Approval] {
    answers.map(\.approval) + (paper.map { [draft.approval(by: $0.recordSigner)] } ?? [])
  }

  // MARK: Undoing what a thief changed

  /// What a record says beside its keys, and a thief may have changed.
  struct Terms {
    let authority: Authority
    /// A thief's would go on showing what he likes to whoever follows it.
    let sourceURL: String?
  }

  /// What was said before a time, with the tiers above a rank as they are now, which cannot be changed from
  /// that rank.
  func terms(before boundary: Milliseconds, keeping rank: Int, of state: UserState) -> Terms {
    let times = Dictionary(state.records.map { ($0.record, $0.effective) }) { first, _ in first }
    let before = (0...state.head.sequence).reversed().lazy.compactMap { state.record(at: $0) }.first {
      $0.action == .claim || (times[$0.hash] ?? nil).map { $0 < boundary } ?? false
    }
    let protected = Array(authority.tiers.prefix(rank))
    let rest = (before?.authority.tiers ?? authority.tiers).filter { !protected.contains($0) }
    let signer: [Tier] = (protected + rest).contains(.signer) ? [] : [.signer]
    return Terms(
      authority: Authority(tiers: protected + rest + signer) ?? authority,
      sourceURL: (before ?? state.head).sourceURL)
  }

  /// What to say about an authority that is not the head's.
  func authorityLines(from old: Authority, to new: Authority) -> [String] {
    guard old != new else { return [] }
    return ["who may act is again:"] + new.tiers.enumerated().map { "  \($0) \($1.words)" }
  }

  // MARK: Saying what is missing

  func missingLines() -> [String] {
    authority.tiers.enumerated().filter { $1 != .signer }.map { rank, tier in
      let missing = missing(tier, approving)
      let need = missing == 0 ? "met" : "\(missing) approval\(missing == 1 ? "" : "s") missing"
      let effect =
        tier.delay == 0
        ? "at once"
        : "\(TimeWords.span(tier.delay)) after that, unless somebody of rank 0 to "
          + "\(rank) stops it"
      return "  \(rank) \(tier.words): \(need); takes effect \(effect)"
    }
  }

  func report(_ keys: OwnKeys, request: ApprovalRequest?, lines: [String]) -> Report {
    var members: [(JSONString, JSONValue)] = [
      ("id", .text(keys.id.text)), ("app", .text(keys.app.text)), ("action", "recover"), ("effect", "missing"),
      (
        "missing", .array(authority.tiers.map { .integer(Int64(missing($0, approving))) })
      ),
      ("authority", authority.json),
    ]
    var text = ["approvals are missing to recover \(keys.id) in \(keys.app):"] + lines
    if let request {
      members += [
        ("request", .text(request.text)), ("digits", .text(request.checkDigits)),
        ("until", .integer(request.deadline)),
      ]
      text += [
        "",
        "Hand this to your friends until \(TimeWords.utc(request.deadline)); both sides see the digits "
          + "\(request.checkDigits):", "", request.text, "",
        "They run: peerkey approve FILE. Then: peerkey recover --approval FILE --approval FILE …",
      ]
    }
    return Report(status: .pending, json: JSONObject(members), lines: text)
  }
}

extension Tier {
  /// Whether the tier names a key.
  func names(_ key: VerifyingKey) -> Bool {
    if case .keys(_, let keys, _, _) = self { keys.contains(key) } else { false }
  }
}
