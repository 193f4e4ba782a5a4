import KeyRecords
import PeerstackFormat

/// Sentences about why something is refused, beyond the code's own.
struct RefusalWords {
  let code: ProblemCode
  let facts: JSONObject
  let setting: Explanation.Setting

  private var submission: Submission? { setting.submission }

  /// The section that decides.
  var rule: String {
    switch code {
    case .malformed, .badSignature: "§1.2"
    case .tooLarge: "§3"
    case .invalidField: fieldRule
    case .clockSkew: facts["after"] == nil ? "§5.2" : "§5.4"
    case .idInFuture, .idNotBound, .idTaken, .unknownUser: "§5.3"
    case .boundaryRefused: "§5.8"
    case .admissionRefused: "§7"
    case .notAuthorised: authorityRule
    case .tierProtected: "§5.6"
    case .unknownRecord, .contested: "§6"
    case .staleHead: "§5.4"
    case .pendingExists: "§5.7"
    case .keyReused: "§5.10"
    case .retired: "§5.11"
    case .rateLimited: "§5.12"
    case .locked, .keyVoid, .notFound, .unknownApp, .methodNotAllowed, .lengthRequired, .unsupportedMediaType,
      .headersTooLarge, .unavailable:
      "§8"
    }
  }

  private var pointer: String { PrintableText.line(facts["pointer"]?.string ?? "") }

  /// What a field is refused for. Form comes first (§5.1), so of what can be read only these are left.
  private var fieldRule: String {
    guard let submission else { return "§5.1" }
    switch (submission, pointer) {
    case (.record, "/incarnation"): return "§5.9"
    case (.record(let record), "/expires"): return record.action == .claim ? "§5.3" : "§5.7"
    case (.record, "/publicKey"), (.record, "/publicBoxKey"): return "§5.4"
    default: return "§5.1"
    }
  }

  private var authorityRule: String {
    switch submission {
    case .policy?: "§7"
    case .adjudication?: "§6"
    case .record?, nil: "§5.5"
    }
  }

  func sentences(_ missing: [Explanation.TierNote]) -> [String] {
    switch code {
    case .notAuthorised: return authorisation(missing)
    case .invalidField, .badSignature, .keyReused:
      return ["it is at fault at \(pointer.isEmpty ? "the top level" : pointer)"]
    case .staleHead, .idTaken, .retired: return head
    case .tierProtected: return tiersAbove
    case .pendingExists: return pending
    case .clockSkew: return clock
    case .contested: return rivals
    case .rateLimited:
      return (facts["retryAfter"]?.integer).map { ["it can be sent again in \(TimeWords.span($0 * 1_000))"] } ?? []
    default: return []
    }
  }

  private var head: [String] {
    guard let head = facts["head"]?.string.flatMap({ RecordHash($0) }) else { return [] }
    let place = facts["sequence"]?.integer.map { ", sequence \($0)" } ?? ""
    return ["the head is \(head)\(place)"]
  }

  private var rivals: [String] {
    let claims = facts["claims"]?.array?.compactMap { $0.string.flatMap { RecordHash($0) } } ?? []
    let list = claims.isEmpty ? [] : ["the claims are \(claims.map(\.hex).joined(separator: ", "))"]
    guard case .adjudication? = submission else { return list }
    return list + ["rivals are still let in: an adjudication is taken when the contest window has ended"]
  }

  private var tiersAbove: [String] {
    guard let rank = facts["rank"]?.integer else { return [] }
    return ["its approvals authorise it at rank \(rank): what stands above must stay as in the head"]
  }

  private var pending: [String] {
    guard let rank = facts["rank"]?.integer else { return [] }
    let time = facts["effective"]?.integer.map { " on \(TimeWords.utc($0))" } ?? ""
    return ["a record of rank \(rank) is pending and takes effect\(time); rank \(rank) or smaller replaces it"]
  }

  private var clock: [String] {
    let modified = submission.map { " is \(TimeWords.utc($0.modified))" } ?? ""
    if let after = facts["after"]?.integer {
      return ["modified\(modified), the head's is \(TimeWords.utc(after)): it must be later"]
    }
    let now = facts["now"]?.integer.map { ", the registrar's clock says \(TimeWords.utc($0))" } ?? ""
    return ["modified\(modified)\(now)"]
  }

  // MARK: Authorisation

  private func authorisation(_ missing: [Explanation.TierNote]) -> [String] {
    if let count = facts["missing"]?.integer {
      return ["\(count) more of the app's admins must sign"]
    }
    var sentences: [String] = []
    if let rank = facts["rank"]?.integer {
      sentences.append("its approvals authorise it at rank \(rank), where it may not be done")
    } else {
      sentences.append("its approvals meet no tier")
    }
    if let demand { sentences.append(demand) }
    for note in missing {
      let name = note.tier.map { " \($0.description)" } ?? ""
      let count = note.missing ?? 0
      sentences.append("rank \(note.rank)\(name): \(count == 0 ? "met" : "\(Self.approvals(Int64(count))) missing")")
    }
    return sentences
  }

  private static func approvals(_ count: Int64) -> String { count == 1 ? "1 approval" : "\(count) approvals" }

  /// Who may do what it does.
  private var demand: String? {
    let isLocked = setting.base?.action == .revoke
    switch submission?.record?.action {
    case .rotate? where isLocked, .amend? where isLocked, .revoke? where isLocked:
      return "the key was revoked: only a recover or a retire is taken now"
    case .rotate?: return "a rotate wants the signer's rank exactly"
    case .recover?: return "a recover wants any rank but the signer's"
    case .revoke?: return "a revoke wants the signer's rank or a smaller one"
    case .retire?: return "a retire wants rank 0"
    case .amend?, .claim?, nil: return nil
    }
  }
}
