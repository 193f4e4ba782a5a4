import Cryptography
import KeyRecords
import RegistryAPI

/// Judges submissions of one app in order, later ones seeing the earlier ones that were accepted. No I/O: what it needs
/// to know is given to it, and what it decides is for others to store.
struct BatchJudge: Sendable {
  /// What the rules say of a submission.
  enum Decision: Sendable {
    case accepted(Entry, Acceptance)
    case same(Entry)
    case refused(Refusal)
  }

  let app: AppID
  let now: Milliseconds
  private(set) var policies: AppHistory
  /// The histories of all users that are judged; who is missing has none.
  private(set) var histories: [UserID: KeyHistory]
  /// Who used each key that is judged.
  private var keyOwners: [VerifyingKey: Set<UserID>]
  private var nonces: Set<[UInt8]>
  private var nextIndex: Int64
  /// What has been accepted, and what it uses up.
  private(set) var gain: Gain

  init(
    app: AppID, now: Milliseconds, nextIndex: Int64, policies: AppHistory, histories: [UserID: KeyHistory],
    keyOwners: [VerifyingKey: Set<UserID>], usedNonces: Set<[UInt8]>
  ) {
    self.app = app
    self.now = now
    self.nextIndex = nextIndex
    self.policies = policies
    self.histories = histories
    self.keyOwners = keyOwners
    nonces = usedNonces
    gain = Gain(app: app)
  }

  mutating func decide(_ body: SubmissionBody) -> Decision {
    if case .policy(let policy) = body.submission { return decide(policy) }
    guard let rules = policies.current?.rules, let subject = body.submission.subject else {
      return .refused(Refusal(.unknownApp))
    }
    let history = histories[subject] ?? KeyHistory(app: app, subject: subject)
    let view = Circumstances.RegistrarView(
      isKeyUsedElsewhere: isKeyUsedElsewhere(body.submission, by: subject), invitation: body.invitation,
      isNonceUsed: Self.nonce(of: body).map(nonces.contains) ?? false)
    let circumstances = Circumstances(now: now, policy: rules, registrarView: view)
    switch judge(body.submission, in: history, at: circumstances) {
    case .refused(let refusal): return .refused(refusal)
    case .same(let entry): return .same(entry)
    case .accepted(let acceptance):
      let entry = append(body.submission, acceptance, countBefore: history.count)
      histories[subject, default: history].append(entry, under: rules)
      note(entry, body, rules)
      return .accepted(entry, acceptance)
    }
  }

  private mutating func decide(_ policy: AppPolicy) -> Decision {
    switch policies.judge(policy, at: now) {
    case .refused(let refusal): return .refused(refusal)
    case .same(let entry): return .same(entry)
    case .accepted(let acceptance):
      let entry = append(.policy(policy), acceptance, countBefore: 0)
      policies.append(entry)
      return .accepted(entry, acceptance)
    }
  }

  private mutating func append(_ content: Submission, _ acceptance: Acceptance, countBefore: Int) -> Entry {
    let entry = Entry(
      index: nextIndex, accepted: now, effective: acceptance.effective, rank: acceptance.rank, content: content)
    nextIndex += 1
    gain.add(entry, countBefore: countBefore)
    return entry
  }

  /// Notes what an accepted submission uses up.
  private mutating func note(_ entry: Entry, _ body: SubmissionBody, _ rules: PolicyRules) {
    guard let record = entry.record, record.action.bringsKey else { return }
    if keyOwners[record.publicKey, default: []].insert(record.subject).inserted {
      gain.usedKeys.append(Gain.UsedKey(key: record.publicKey, subject: record.subject, index: entry.index))
    }
    // Where admission is open an invitation is ignored, and not used up (§7).
    if record.action == .claim, rules.admission == .invite, let nonce = Self.nonce(of: body) {
      nonces.insert(nonce)
      gain.usedNonces.append(Gain.UsedNonce(nonce: nonce, index: entry.index))
    }
  }

  private func isKeyUsedElsewhere(_ submission: Submission, by subject: UserID) -> Bool {
    guard let record = submission.record, record.action.bringsKey else { return false }
    return keyOwners[record.publicKey]?.contains { $0 != subject } ?? false
  }

  /// The key whose owners must be known to judge a submission.
  static func key(of body: SubmissionBody) -> VerifyingKey? {
    guard let record = body.submission.record, record.action.bringsKey else { return nil }
    return record.publicKey
  }

  /// The nonce whose use must be known to judge a submission, as UTF-8.
  static func nonce(of body: SubmissionBody) -> [UInt8]? {
    guard body.submission.record?.action == .claim, case .success(let invitation) = body.invitation else { return nil }
    return Array(invitation.nonce.utf8)
  }
}
