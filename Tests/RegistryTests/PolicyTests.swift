import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI
import Testing

/// Policies and contests go the same ways as records.
@Suite struct PolicyTests {
  @Test func aPolicyOfOneInstanceHoldsInTheOther() async throws {
    try await withFixture("policy_instances") { fixture in
      let first = try await fixture.app(in: fixture.registry())
      let second = try await fixture.app(in: fixture.registry())
      let before = try first.snapshot()
      var rules = before.policy.rules
      rules.admission = .invite
      fixture.clock.advance(by: 1)
      let draft = rules.draft(app: fixture.app, after: before.policy, now: fixture.clock.now)
      let text = try #require(draft.signed(approvedBy: [fixture.admin]))
      let early = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await first.submit(early.body).isCreated)
      #expect(try await first.submit(SubmissionBody.verify(text, app: fixture.app).get()).isCreated)
      let late = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await second.submit(late.body).code == .admissionRefused)
      // It was accepted before the policy, and is judged by what held then.
      #expect(try await second.user(early.id)?.headRecord == early.text)
      let after = try second.snapshot()
      #expect(after.policyText == text && after.index == 2)
    }
  }

  @Test func rivalsContestAndTheAdminsDecide() async throws {
    try await withFixture("policy_contest") { fixture in
      let first = try await fixture.app(in: fixture.registry()) {
        $0.boundSince = nil
        $0.contestWindow = 60_000
      }
      let second = try await fixture.app(in: fixture.registry())
      let id = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
      let owner = try Person(app: fixture.app, now: fixture.clock.now, id: id)
      let rival = try Person(app: fixture.app, now: fixture.clock.now, id: id)
      #expect(try await first.submit(owner.body).isCreated)
      #expect(try await second.dryRun(rival.body).get().effect == .contest)
      #expect(try await second.submit(rival.body).isCreated)
      let contested = try #require(try await second.user(id))
      guard case .refused(let refusal) = contested.key else { throw Unexpected("a key") }
      let claims: [JSONValue] = [.text(owner.head.hash.hex), .text(rival.head.hash.hex)]
      #expect(refusal.code == .contested && refusal.facts["claims"] == .array(claims))
      #expect(contested.validUntil == fixture.clock.now + Limits.contestDuration)
      fixture.clock.advance(by: 60_000)
      let decision = try adjudication(for: rival, by: fixture)
      #expect(try await first.submit(decision).isCreated)
      #expect(try await first.user(id)?.headRecord == rival.text)
      try await eventually("the second hears") { try await second.user(id)?.headRecord == rival.text }
      #expect(try await fixture.differences() == [])
    }
  }

  private func adjudication(for winner: Person, by fixture: Fixture) throws -> SubmissionBody {
    let hash = winner.head.hash.hex
    let draft = Draft([
      "type": "Adjudication", "id": .text("\(winner.id):a\(hash.prefix(Adjudication.idCount))"),
      "app": .text(fixture.app.text), "subject": .text(winner.id.text), "winner": .text(hash),
      "modified": .integer(fixture.clock.now),
    ])
    let text = try #require(draft.signed(approvedBy: [fixture.admin]))
    return try SubmissionBody.verify(text, app: fixture.app).get()
  }

  @Test func aContestLapsesByTheClockAlone() async throws {
    try await withFixture("policy_lapse") { fixture in
      let app = try await fixture.app(in: fixture.registry()) {
        $0.boundSince = nil
        $0.contestWindow = 60_000
      }
      let id = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
      let owner = try Person(app: fixture.app, now: fixture.clock.now, id: id)
      #expect(try await app.submit(owner.body).isCreated)
      #expect(try await app.submit(Person(app: fixture.app, now: fixture.clock.now, id: id).body).isCreated)
      #expect(try await app.user(id)?.headRecord == nil)
      fixture.clock.advance(by: Limits.contestDuration)
      #expect(try await app.user(id)?.headRecord == owner.text)
    }
  }
}
