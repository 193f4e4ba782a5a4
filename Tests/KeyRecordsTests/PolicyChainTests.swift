import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

/// The chain of an app's policies (protocol §7).
struct PolicyChainTests {
  let app: AppID
  let now: Milliseconds = 1_770_000_000_000
  let old = SigningKey.generate()
  let new = SigningKey.generate()
  var history: AppHistory

  init() throws {
    app = try #require(AppID("chat.example"))
    history = AppHistory(app: app)
    try append(try policy(try rules(old), by: [old]), at: now)
  }

  private func rules(_ admin: SigningKey) throws -> PolicyRules {
    PolicyRules(admins: try #require(Admins(keys: [admin.verifyingKey], threshold: 1)))
  }

  private func policy(_ rules: PolicyRules, by signers: [SigningKey], at time: Milliseconds? = nil) throws -> AppPolicy
  {
    let draft = rules.draft(app: app, after: history.current, now: time ?? now)
    return try read(try #require(draft.signed(approvedBy: signers)))
  }

  private func read(_ text: [UInt8]) throws -> AppPolicy {
    guard case .policy(let policy) = try Submission.verify(text, app: app).get() else { throw Refusal(.malformed) }
    return policy
  }

  private mutating func append(_ policy: AppPolicy, at time: Milliseconds) throws {
    guard case .accepted(let acceptance) = history.judge(policy, at: time) else { throw Refusal(.malformed) }
    history.append(
      Entry(
        index: Int64(history.entries.count), accepted: time, effective: acceptance.effective, rank: acceptance.rank,
        content: .policy(policy)))
  }

  private func code(_ policy: AppPolicy, at time: Milliseconds) -> ProblemCode? {
    if case .refused(let refusal) = history.judge(policy, at: time) { refusal.code } else { nil }
  }

  @Test func theAdminsBeforeDecideOnThoseAfter() throws {
    #expect(code(try policy(try rules(new), by: [new]), at: now) == .notAuthorised)
    #expect(code(try policy(try rules(new), by: [old]), at: now) == nil)
  }

  @Test func aPolicyBuildsOnTheLast() throws {
    var other = self
    try other.append(try policy(try rules(new), by: [old]), at: now)
    let late = try policy(try rules(old), by: [old], at: now + 1)
    #expect(other.code(late, at: now + 1) == .staleHead)
    #expect(other.history.current?.rules.admins.keys == [new.verifyingKey])
    #expect(other.history.policy(before: 1)?.rules.admins.keys == [old.verifyingKey])
  }

  @Test func timeGoesOn() throws {
    let next = try policy(try rules(new), by: [old])
    #expect(code(next, at: next.modified + Limits.clockSkew) == nil)
    #expect(code(next, at: next.modified + Limits.clockSkew + 1) == .clockSkew)
    var unsigned = try rules(new).draft(app: app, after: history.current, now: now).unsigned
    unsigned = unsigned.setting("modified", to: .integer(now))
    #expect(code(try read(try #require(Draft(unsigned).signed(approvedBy: [old]))), at: now) == .clockSkew)
  }

  @Test func aRepeatedPolicyIsTheSame() throws {
    let first = try #require(history.current)
    guard case .same(let entry) = history.judge(first, at: now + 3_600_000) else {
      Issue.record("not the same")
      return
    }
    #expect(entry.index == 0)
  }
}
