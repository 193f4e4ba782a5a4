import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

/// What becomes of records when admins decide between rival claims (protocol §6).
struct ContestTests {
  static let day: Milliseconds = 86_400_000

  let app: AppID
  let subject: UserID
  let rules: PolicyRules
  let claimed: Milliseconds = 1_770_000_000_000
  let vault = SigningKey.generate()
  let admin = SigningKey.generate()

  init() throws {
    app = try #require(AppID("chat.example"))
    subject = try #require(UserID("0123456789abcdef0123456789abcdef"))
    rules = PolicyRules(
      admins: try #require(Admins(keys: [admin.verifyingKey], threshold: 1)), contestWindow: Self.day)
  }

  private func append(_ text: [UInt8], to history: inout KeyHistory, at now: Milliseconds) throws -> Submission {
    let submission = try Submission.verify(text, app: app).get()
    let circumstances = Circumstances(now: now, policy: rules, registrarView: nil)
    guard case .accepted(let acceptance) = judge(submission, in: history, at: circumstances) else {
      throw Refusal(.malformed)
    }
    let entry = Entry(
      index: Int64(history.entries.count), accepted: now, effective: acceptance.effective, rank: acceptance.rank,
      content: submission)
    history.append(entry, under: rules)
    return submission
  }

  private func claim(in history: inout KeyHistory, at now: Milliseconds) throws -> KeyRecord {
    let key = SigningKey.generate()
    let vault = Tier.keys(name: "vault", keys: [vault.verifyingKey], threshold: 1, delay: 5 * Self.day)
    let draft = RecordDraft(
      claim: subject, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey,
      authority: try #require(Authority(tiers: [vault, .signer])), modified: now)
    return try #require(try append(draft.draft.signed(by: key), to: &history, at: now).record)
  }

  /// A first claim, its rival, and a record of the first that is pending when the admins decide.
  @Test(arguments: [(0, "cancelled"), (1, "refused")])
  func whatIsPendingWhenAdminsDecide(winner: Int, status: String) throws {
    var history = KeyHistory(app: app, subject: subject)
    let first = try claim(in: &history, at: claimed)
    let rival = try claim(in: &history, at: claimed + 1)
    let now = claimed + Self.day
    let successor = SigningKey.generate()
    var recovery = RecordDraft(.recover, after: first, now: now)
    recovery.publicKey = successor.verifyingKey
    recovery.publicBoxKey = successor.boxKey.publicKey
    recovery.reason = .lost
    let draft = recovery.draft
    _ = try append(draft.signed(approvals: [draft.approval(by: vault)], by: successor), to: &history, at: now)
    let hash = [first, rival][winner].hash
    let decision = Draft([
      "type": "Adjudication", "id": .text("\(subject):a\(hash.hex.prefix(Adjudication.idCount))"),
      "app": .text(app.text), "subject": .text(subject.text), "winner": .text(hash.hex), "modified": .integer(now),
    ])
    _ = try append(try #require(decision.signed(approvedBy: [admin])), to: &history, at: now)
    let records = try #require(history.state(at: now)).records
    #expect(
      records.map(\.status) == (winner == 0 ? ["effective", "refused"] : ["refused", "effective"]) + [
        status, "effective",
      ])
  }
}
