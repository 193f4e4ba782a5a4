import Cryptography
import KeyRecords
public import PeerstackFormat

/// One case of a file of conformance histories (Tests/Vectors/key-histories/README.md): what is offered, and what the
/// rules make of it. Reads only the inputs of a case, never what it expects.
public struct HistoryCase {
  /// Why a case cannot be run: a sentence for people that names the field.
  public struct FormatError: Error, CustomStringConvertible {
    /// What is wrong.
    public let description: String
  }

  private struct DatedPolicy {
    let from: Milliseconds
    let rules: PolicyRules
  }

  private let name: JSONValue
  private let app: AppID
  private let policies: [DatedPolicy]
  private let usedElsewhere: Set<VerifyingKey>
  private let steps: [JSONObject]
  private let objects: [JSONObject]
  private let finalNow: Milliseconds

  private var history: KeyHistory?
  private var usedNonces: Set<String> = []

  /// Reads the inputs of a case.
  public init(_ value: JSONValue) throws(FormatError) {
    guard let fields = value.object else { throw Self.missing("a case that is an object") }
    name = fields["name"] ?? .null
    guard let app = fields["app"]?.string.flatMap({ AppID($0) }) else { throw Self.missing("app") }
    self.app = app
    var policies: [DatedPolicy] = []
    for element in fields["policies"]?.array ?? [] {
      guard let from = element.object?["from"]?.integer, let value = element.object?["policy"],
        case .success(let rules) = PolicyRules.read(value)
      else { throw Self.missing("policies with from and policy") }
      policies.append(DatedPolicy(from: from, rules: rules))
    }
    guard !policies.isEmpty else { throw Self.missing("policies") }
    self.policies = policies
    let used = (fields["usedElsewhere"]?.array ?? []).compactMap { $0.string.flatMap(Base64.decodeCanonical) }
    usedElsewhere = Set(used.compactMap { VerifyingKey($0) })
    guard let steps = fields["steps"]?.array else { throw Self.missing("steps") }
    self.steps = steps.compactMap(\.object)
    guard self.steps.count == steps.count else { throw Self.missing("steps that are objects") }
    guard let now = fields["final"]?.object?["now"]?.integer else { throw Self.missing("final.now") }
    finalNow = now
    objects = (fields["objects"]?.array ?? []).compactMap(\.object)
  }

  private static func missing(_ what: String) -> FormatError { FormatError(description: "the case lacks \(what)") }

  /// Offers every step in turn and judges the objects: `{"name", "steps", "state", "objects"}`.
  public mutating func run() throws(FormatError) -> JSONValue {
    var outcomes: [JSONValue] = []
    var historyAfter: [KeyHistory?] = [nil]
    for step in steps {
      outcomes.append(try offer(step))
      historyAfter.append(history)
    }
    var verdicts: [JSONValue] = []
    for object in objects { verdicts.append(try judge(object, historyAfter)) }
    return [
      "name": name, "steps": .array(outcomes), "state": history?.state(at: finalNow)?.json ?? .null,
      "objects": .array(verdicts),
    ]
  }

  private func policy(at now: Milliseconds) throws(FormatError) -> PolicyRules {
    guard let policy = policies.last(where: { $0.from <= now }) else { throw Self.missing("a policy for each step") }
    return policy.rules
  }

  private mutating func offer(_ step: JSONObject) throws(FormatError) -> JSONValue {
    guard let now = step["now"]?.integer else { throw Self.missing("now in a step") }
    let text: [UInt8]
    if let raw = step["text"]?.jsonString {
      text = raw.bytes
    } else if let record = step["record"] {
      text = CanonicalJSON.bytes(of: record)
    } else {
      throw Self.missing("record or text in a step")
    }
    switch Submission.verify(text, app: app) {
    case .failure(let refusal): return Self.outcome(refusal)
    case .success(let submission): return try offer(submission, invitation: step["invitation"], now: now)
    }
  }

  private mutating func offer(
    _ submission: Submission, invitation: JSONValue?, now: Milliseconds
  ) throws(FormatError) -> JSONValue {
    guard let subject = submission.subject else { return Self.outcome(.invalidField("/type")) }
    var history = history ?? KeyHistory(app: app, subject: subject)
    guard history.subject == subject else { throw Self.missing("one subject in all steps") }
    let verified = invitation.map { Invitation.verify($0) }
    let nonce = try? verified?.get().nonce
    let rules = try policy(at: now)
    let view = Circumstances.RegistrarView(
      isKeyUsedElsewhere: submission.record.map { usedElsewhere.contains($0.publicKey) } ?? false,
      invitation: verified, isNonceUsed: nonce.map(usedNonces.contains) ?? false)
    let circumstances = Circumstances(now: now, policy: rules, registrarView: view)
    switch KeyRecords.judge(submission, in: history, at: circumstances) {
    case .refused(let refusal): return Self.outcome(refusal)
    case .same(let entry): return ["outcome": "same", "index": .integer(entry.index)]
    case .accepted(let acceptance):
      let entry = Entry(
        index: Int64(history.entries.count), accepted: now, effective: acceptance.effective, rank: acceptance.rank,
        content: submission)
      history.append(entry, under: rules)
      self.history = history
      if rules.admission == .invite, submission.record?.action == .claim, let nonce { usedNonces.insert(nonce) }
      return ["outcome": "accepted", "entry": Self.json(entry)]
    }
  }

  private static func outcome(_ refusal: Refusal) -> JSONValue {
    ["outcome": .text(refusal.code.rawValue), "facts": .object(refusal.facts)]
  }

  private static func json(_ entry: Entry) -> JSONValue {
    [
      "index": .integer(entry.index), "accepted": .integer(entry.accepted),
      "effective": entry.effective.map { .integer($0) } ?? .null,
      "rank": entry.rank.map { .integer(Int64($0)) } ?? .null, "hash": .text(entry.content.hash.hex),
    ]
  }

  private func judge(_ object: JSONObject, _ historyAfter: [KeyHistory?]) throws(FormatError) -> JSONValue {
    guard let now = object["now"]?.integer, let after = object["after"]?.integer,
      let text = object["object"]?.jsonString, historyAfter.indices.contains(Int(clamping: after))
    else { throw Self.missing("now, after and object in an object") }
    let evidence = object["evidence"]?.object
    let known = ObjectEvidence(
      receipt: evidence?["receipt"]?.integer, seen: evidence?["seen"]?.integer,
      isAdopted: evidence?["adopted"]?.bool ?? false)
    var reader = SignedObjectReader()
    guard let state = historyAfter[Int(after)]?.state(at: now), (try? reader.read(text.bytes)) != nil,
      reader.signer?.string == history?.subject.text
    else { return .text(ObjectVerdict.invalid.rawValue) }
    let judged = state.judgeObject(modified: reader.modified, evidence: known, now: now) {
      reader.verify(with: $0).isAccepted
    }
    return .text(judged.verdict.rawValue)
  }
}
