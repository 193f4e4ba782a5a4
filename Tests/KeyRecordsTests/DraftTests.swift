import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

/// What our tools make, our rules take.
struct DraftTests {
  let app: AppID

  init() throws { app = try #require(AppID("chat.example")) }

  let now: Milliseconds = 1_770_000_000_000
  let paper = SigningKey.generate()
  let first = SigningKey.generate()

  private func authority() throws -> Authority {
    try #require(
      Authority(tiers: [.keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: 0), .signer]))
  }

  private func rules() throws -> PolicyRules {
    PolicyRules.standard(admins: try #require(Admins(keys: [paper.verifyingKey], threshold: 1)), created: 0)
  }

  private func claim() throws -> KeyRecord {
    let commitment = BoundID.Commitment(
      created: now, authority: try authority(), publicKey: first.verifyingKey, publicBoxKey: first.boxKey.publicKey)
    let id = try #require(BoundID.id(for: commitment))
    let draft = RecordDraft(
      claim: id, app: app, publicKey: first.verifyingKey, publicBoxKey: first.boxKey.publicKey,
      authority: try authority(), modified: now)
    return try #require(Submission.verify(draft.draft.signed(by: first), app: app).get().record)
  }

  private func accept(_ text: [UInt8], in history: inout KeyHistory, at now: Milliseconds) throws -> Acceptance? {
    let submission = try Submission.verify(text, app: app).get()
    let view = Circumstances.RegistrarView(isKeyUsedElsewhere: false)
    let circumstances = Circumstances(now: now, policy: try rules(), registrarView: view)
    guard case .accepted(let acceptance) = judge(submission, in: history, at: circumstances) else { return nil }
    let entry = Entry(
      index: Int64(history.entries.count), accepted: now, effective: acceptance.effective, rank: acceptance.rank,
      content: submission)
    history.append(entry, under: try rules())
    return acceptance
  }

  @Test func aLostKeyIsReplacedByPaper() throws {
    let claim = try claim()
    var history = KeyHistory(app: app, subject: claim.subject)
    #expect(try accept(claim.canonical, in: &history, at: now)?.effect == .effective)
    let second = SigningKey.generate()
    var recovery = RecordDraft(.recover, after: claim, now: now)
    recovery.publicKey = second.verifyingKey
    recovery.publicBoxKey = second.boxKey.publicKey
    recovery.reason = .lost
    let draft = recovery.draft
    let text = draft.signed(approvals: [draft.approval(by: paper)], by: second)
    #expect(try accept(text, in: &history, at: now)?.rank == 0)
    let state = try #require(history.state(at: now))
    #expect(state.currentKey?.publicKey == second.verifyingKey)
    #expect(state.keys.map(\.fate) == [.retired, .current])
  }

  @Test func aReplayReachesTheSameState() throws {
    let claim = try claim()
    var history = KeyHistory(app: app, subject: claim.subject)
    _ = try accept(claim.canonical, in: &history, at: now)
    _ = try accept(RecordDraft(.amend, after: claim, now: now).draft.signed(by: first), in: &history, at: now + 1)
    var replayed = KeyHistory(app: app, subject: claim.subject)
    for entry in history.entries {
      let read = try Entry.verify(JSONValue.parseStrict(entry.text), app: app).get()
      try replayed.replay(read, under: try rules())
    }
    #expect(replayed.state(at: now + 1)?.json == history.state(at: now + 1)?.json)
  }

  @Test func aReplayRefusesWhatTheRulesDoNotSay() throws {
    let claim = try claim()
    var history = KeyHistory(app: app, subject: claim.subject)
    let entry = Entry(index: 0, accepted: now, effective: now + 1, rank: nil, content: .record(claim))
    #expect(throws: ReplayConflict.self) { try history.replay(entry, under: try rules()) }
    #expect(history.isEmpty)
  }

  @Test func aFirstPolicyMeetsItsOwnThreshold() throws {
    let admins = [SigningKey.generate(), SigningKey.generate()]
    let rules = PolicyRules(admins: try #require(Admins(keys: admins.map(\.verifyingKey), threshold: 2)))
    let draft = rules.draft(app: app, after: nil, now: now)
    let history = AppHistory(app: app)
    for (count, isAccepted) in [(1, false), (2, true)] {
      let text = try #require(draft.signed(approvedBy: Array(admins.prefix(count))))
      let submission = try Submission.verify(text, app: app).get()
      guard case .policy(let policy) = submission else { throw Refusal(.malformed) }
      if case .accepted = history.judge(policy, at: now) {
        #expect(isAccepted)
      } else {
        #expect(!isAccepted)
      }
    }
  }
}
