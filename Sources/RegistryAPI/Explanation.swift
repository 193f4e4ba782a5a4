public import KeyRecords
public import PeerstackFormat

/// What the rules make of a submission, in words and in fields: which rule applies, at which tier, when it takes effect,
/// who could still stop it and how, or what is missing.
public struct Explanation: Sendable, Hashable {
  /// What is known beside the answer. Whatever is unknown is left out of the words.
  public struct Setting: Sendable {
    /// What is submitted; nil if it cannot be read.
    public var submission: Submission?
    /// The record it builds on, or else the head.
    public var base: KeyRecord?

    /// A setting.
    public init(submission: Submission?, base: KeyRecord? = nil) {
      self.submission = submission
      self.base = base
    }
  }

  /// A tier that could still replace a pending record, or that lacks approvals.
  struct TierNote: Sendable, Hashable {
    let rank: Int
    let tier: Tier?
    let missing: Int?

    var json: JSONValue {
      var members: [(JSONString, JSONValue)] = [("rank", .integer(Int64(rank))), ("tier", tier?.json ?? .null)]
      if let missing { members.append(("missing", .integer(Int64(missing)))) }
      if missing == nil { members.append(("how", .text(tier.stopWords))) }
      return .object(JSONObject(members))
    }
  }

  /// `effective`, `pending`, `contest`, `same` or `refused`.
  public let outcome: String
  /// Why it is refused; nil if it is not.
  public let code: ProblemCode?
  /// The section of the protocol that decides, as `§5.7`.
  public let rule: String
  /// Sentences for people.
  public let words: [String]
  private let members: [(JSONString, JSONValue)]

  /// Of a submission that would be accepted, or was.
  public init(_ answer: DryRunAnswer, in setting: Setting) {
    let stoppers = (answer.stoppableBy ?? []).map { rank in
      TierNote(rank: rank, tier: rank == answer.rank ? answer.tier : setting.tier(at: rank), missing: nil)
    }
    outcome = answer.effect.rawValue
    code = nil
    rule = AcceptanceWords.rule(answer, setting.submission)
    words = setting.title + AcceptanceWords.sentences(answer, stoppers, setting.submission)
    members = [
      ("rank", answer.rank.map { .integer(Int64($0)) } ?? .null), ("tier", answer.tier?.json ?? .null),
      ("effective", answer.effective.map { .integer($0) } ?? .null),
      ("stoppableBy", answer.stoppableBy == nil ? .null : .array(stoppers.map(\.json))),
    ]
  }

  /// Of a submission that is refused, with the facts of the problem document.
  public init(refused code: ProblemCode, _ facts: JSONObject, in setting: Setting) {
    outcome = "refused"
    self.code = code
    let counts = facts["missing"]?.array?.compactMap { $0.integer.map { Int(clamping: $0) } }
    let missing = counts?.enumerated().map { rank, count in
      TierNote(rank: rank, tier: setting.tier(at: rank), missing: count)
    }
    let refusal = RefusalWords(code: code, facts: facts, setting: setting)
    rule = refusal.rule
    let verdict = "refused by \(refusal.rule), \(code.rawValue): \(code.detail)"
    words = setting.title + [verdict] + refusal.sentences(missing ?? [])
    let known = facts.omitting(["type", "title", "status", "detail", "code", "missing"])
    let lacking = missing.map { JSONValue.array($0.map(\.json)) } ?? facts["missing"] ?? .null
    members = known.members + [("missing", lacking)]
  }

  /// `{"outcome","code","rule","words", …}`, and what the answer had.
  public var json: JSONValue {
    .object(
      JSONObject(
        [
          ("outcome", .text(outcome)), ("code", code.map { .text($0.rawValue) } ?? .null), ("rule", .text(rule)),
          ("words", .array(words.map { .text($0) })),
        ] + members))
  }

  /// Whether two say the same.
  public static func == (left: Explanation, right: Explanation) -> Bool { left.json == right.json }

  /// Hashes what it says.
  public func hash(into hasher: inout Hasher) { hasher.combine(json) }
}

extension Explanation.Setting {
  /// The tier at a rank of the record that is built on. A record restates the tiers above its own (§5.6), so its own
  /// authority serves where no history is known.
  func tier(at rank: Int) -> Tier? {
    let tiers = (base ?? submission?.record)?.authority.tiers ?? []
    return tiers.indices.contains(rank) ? tiers[rank] : nil
  }

  /// What it is about, as a line.
  var title: [String] {
    switch submission {
    case .record(let record)?:
      ["\(record.action.rawValue) of \(record.subject) in \(record.app), sequence \(record.sequence)"]
    case .policy(let policy)?: ["policy \(policy.sequence) of \(policy.app)"]
    case .adjudication(let adjudication)?:
      ["adjudication of \(adjudication.subject) in \(adjudication.app): \(adjudication.winner) wins"]
    case nil: []
    }
  }
}

extension Tier {
  /// For people: `paper (1 key)`, `friends (2 of 3 keys, a delay of 3 days)`.
  public var description: String {
    let wait = delay == 0 ? "" : ", a delay of \(TimeWords.span(delay))"
    switch self {
    case .signer: return "signer (the key in force)"
    case .registrar: return "registrar (the app's admins\(wait))"
    case .keys(let name, let keys, let threshold, _):
      return "\(name) (\(keys.count == 1 ? "1 key" : "\(threshold) of \(keys.count) keys")\(wait))"
    }
  }
}

extension Tier? {
  /// How a tier stops a pending record (§5.7).
  var stopWords: String {
    let record = "any record that builds on the same head, an amend that changes nothing will do"
    switch self {
    case .signer?: return "\(record), signed with the key in force"
    case .registrar?: return "\(record), approved by the app's admins"
    case .keys(_, _, let threshold, _)?: return "\(record), with \(threshold) of its approvals"
    case nil: return record
    }
  }
}
