import Cryptography
import KeyRecords
import PeerstackFormat

@testable import RegistryClient

/// A registrar's honest entries, the same on every run: an app, two users, and what happened to them.
struct Cast {
  static let start: Milliseconds = 1_770_000_000_000
  static let minute: Milliseconds = 60_000
  static let day: Milliseconds = 86_400_000

  let app: AppID
  let chain: AppHistory
  let alice: UserID
  let bob: UserID
  /// By user, oldest first.
  private(set) var entries: [UserID: [Entry]] = [:]
  /// After the last entry.
  private(set) var now = Cast.start
  private var nextIndex: Int64 = 1

  init() {
    guard let app = AppID("chat.example"), let admins = Admins(keys: [Self.key(1).verifyingKey], threshold: 1) else {
      preconditionFailure("good names")
    }
    self.app = app
    let rules = PolicyRules.standard(admins: admins, created: Self.start)
    guard let text = rules.draft(app: app, after: nil, now: Self.start).signed(approvedBy: [Self.key(1)]),
      case .success(let policy) = Submission.verify(text, app: app)
    else { preconditionFailure("a good policy") }
    var chain = AppHistory(app: app)
    chain.append(Entry(index: 0, accepted: Self.start, effective: Self.start, rank: nil, content: policy))
    self.chain = chain
    (alice, bob) = (Self.id(10), Self.id(20))
    claim(alice, seed: 10)
    claim(bob, seed: 20)
    rotate(alice, to: 11, by: 10)
    now += Self.minute
    var amend = RecordDraft(.amend, after: head(alice), now: now)
    amend.sourceURL = "https://keys.example"
    submit(amend.draft.signed(by: Self.key(11)))
    // Friends recover; the owner stops it once, and lets it pass the second time.
    recover(alice, to: 12)
    now += Self.minute
    submit(RecordDraft(.amend, after: head(alice), now: now).draft.signed(by: Self.key(11)))
    recover(alice, to: 13)
    now += 2 * Self.day
    rotate(alice, to: 14, by: 13)
    now += Self.minute
  }

  static func key(_ seed: UInt8) -> SigningKey {
    guard let key = SigningKey(seed: [UInt8](repeating: seed, count: SigningKey.seedCount)) else {
      preconditionFailure("a good seed")
    }
    return key
  }

  private static var authority: Authority {
    let tiers: [Tier] = [
      .keys(name: "paper", keys: [key(2).verifyingKey], threshold: 1, delay: 0), .signer,
      .keys(name: "friends", keys: [key(3).verifyingKey], threshold: 1, delay: day),
    ]
    guard let authority = Authority(tiers: tiers) else { preconditionFailure("good tiers") }
    return authority
  }

  private static func id(_ seed: UInt8) -> UserID {
    let key = key(seed)
    let commitment = BoundID.Commitment(
      created: start, authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    guard let id = BoundID.id(for: commitment) else { preconditionFailure("a good claim") }
    return id
  }

  private func head(_ user: UserID) -> KeyRecord {
    guard let state = history(user).state(at: now) else { preconditionFailure("claimed before") }
    return state.head
  }

  func history(_ user: UserID) -> KeyHistory {
    var history = KeyHistory(app: app, subject: user)
    guard let rules = chain.current?.rules else { preconditionFailure("a policy") }
    for entry in entries[user, default: []] { history.append(entry, under: rules) }
    return history
  }

  private mutating func claim(_ user: UserID, seed: UInt8) {
    now += Self.minute
    let key = Self.key(seed)
    submit(
      RecordDraft(
        claim: user, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey,
        authority: Self.authority, modified: now
      ).draft.signed(by: key))
  }

  private mutating func rotate(_ user: UserID, to new: UInt8, by old: UInt8) {
    now += Self.minute
    bring(new, RecordDraft(.rotate, after: head(user), now: now), approvedBy: Self.key(old))
  }

  private mutating func recover(_ user: UserID, to new: UInt8) {
    now += Self.minute
    bring(new, RecordDraft(.recover, after: head(user), now: now), approvedBy: Self.key(3))
  }

  private mutating func bring(_ new: UInt8, _ draft: RecordDraft, approvedBy approver: SigningKey) {
    let key = Self.key(new)
    var record = draft
    (record.publicKey, record.publicBoxKey, record.reason) = (key.verifyingKey, key.boxKey.publicKey, .lost)
    let unsigned = record.draft
    submit(unsigned.signed(approvals: [unsigned.approval(by: approver)], by: key))
  }

  private mutating func submit(_ text: [UInt8]) {
    guard case .success(let submission) = Submission.verify(text, app: app), let user = submission.subject,
      let rules = chain.current?.rules,
      case .accepted(let acceptance) = judge(
        submission, in: history(user), at: Circumstances(now: now, policy: rules, registrarView: nil))
    else { preconditionFailure("a good record") }
    entries[user, default: []].append(
      Entry(
        index: nextIndex, accepted: now, effective: acceptance.effective, rank: acceptance.rank, content: submission))
    nextIndex += 1
  }
}
