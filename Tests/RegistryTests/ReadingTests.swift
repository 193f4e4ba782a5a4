import Cryptography
import KeyRecords
import PeerstackFormat
import Postgres
import PostgresTestSupport
import Registry
import RegistryAPI
import Synchronization
import Testing

/// What reads say, from memory and from the database.
@Suite struct ReadingTests {
  @Test(arguments: [0, 64 << 20]) func aUserIsReadAsWritten(memoryBytes: Int) async throws {
    try await withFixture("read_user_\(memoryBytes)") { fixture in
      let registry = try await fixture.registry(memoryBytes: memoryBytes)
      let app = try await fixture.app(in: registry)
      let claim = try Person(app: fixture.app, now: fixture.clock.now)
      let before = try await app.user(claim.id)
      #expect(before == nil)
      let created = try await app.submit(claim.body)
      fixture.clock.advance(by: 5)
      let rotation = try claim.rotated(at: fixture.clock.now)
      let rotated = try await app.submit(rotation.body)
      let user = try #require(try await app.user(claim.id))
      #expect(user.entries.map(\.text) == [created.entryText, rotated.entryText])
      #expect(
        user.entries.map(\.index) == [1, 2] && user.entries.map(\.hash) == [claim.head.hash, rotation.head.hash])
      guard case .record(let head) = user.key else { throw Unexpected("no head") }
      #expect(head.record == rotation.text && user.keyTag == "\"\(rotation.head.hash.hex)\"")
      #expect(try user.record(atSequence: 0).get().record == claim.text)
      #expect(try user.record(atSequence: 1).get().record == rotation.text)
      #expect(
        user.record(atSequence: 2) { $0 } == .unknownRecord && user.record(atSequence: -1) { $0 } == .unknownRecord)
      #expect(user.entries(after: 1).map(\.index) == [2] && user.entries(after: nil).count == 2)
      #expect(user.entries(after: 2).isEmpty)
      #expect(user.entries(afterRecord: claim.head.hash).map(\.index) == [2])
      #expect(user.entries(afterRecord: rotation.head.hash).isEmpty)
      #expect(user.entries(afterRecord: RecordHash(of: [1])).count == 2)
      let state = try JSONValue.parseStrict(user.stateText)
      #expect(state.object?["status"] == "active" && state.object?["sequence"] == 1)
      #expect(user.state(at: user.entries[0].accepted)?.head.hash == claim.head.hash)
      #expect(user.state(at: user.entries[0].accepted - 1) == nil)
      #expect(user.state(throughIndex: 1)?.head.hash == claim.head.hash && user.state(throughIndex: 0) == nil)
      let again = try await app.submit(rotation.body)
      guard case .repeated(let text) = again else { throw Unexpected(again) }
      #expect(text == rotated.entryText)
    }
  }

  @Test func whatIsLockedNamesNoKey() async throws {
    try await withFixture("read_locked") { fixture in
      let app = try await fixture.app(in: fixture.registry())
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await app.submit(person.body).isCreated)
      fixture.clock.advance(by: 1)
      let revoked = try person.revoked(at: fixture.clock.now)
      #expect(try await app.submit(revoked.body).isCreated)
      let user = try #require(try await app.user(person.id))
      guard case .refused(let refusal) = user.key else { throw Unexpected("a key") }
      #expect(refusal.code == .locked && refusal.facts["head"] == .text(revoked.head.hash.hex) && user.keyTag.isEmpty)
    }
  }

  @Test(arguments: [0, 64 << 20]) func manyUsersAreReadTogether(memoryBytes: Int) async throws {
    try await withFixture("read_many_\(memoryBytes)") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let people = try (0..<120).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for outcome in try await submit(people, to: app) { #expect(outcome.isCreated) }
      // A second instance has nothing in memory yet.
      let other = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let unknown = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
      for app in [app, other, other] {
        let resolved = try await app.users(people.map(\.id) + [unknown])
        #expect(resolved.users.count == 120 && resolved.unread.isEmpty && resolved.asOf.index == 120)
        #expect(people.allSatisfy { resolved.users[$0.id]?.entries.last?.record == $0.text })
      }
      // What one has judged and the other has read is the same.
      let (written, read) = (try await app.user(people[0].id), try await other.user(people[0].id))
      #expect(written?.stateText == read?.stateText && written?.stateTag == read?.stateTag)
      #expect(written?.keyTag == read?.keyTag && written?.headRecord == read?.headRecord && read?.validUntil == .max)
      #expect(try read?.record(atSequence: 0).get().record == people[0].text)
      #expect(written?.record(atSequence: 1) { $0 } == .unknownRecord)
      #expect(read?.record(atSequence: 1) { $0 } == .unknownRecord)
      let little = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let part = try await little.users(people.map(\.id), byteLimit: 1)
      #expect(!part.users.isEmpty && part.users.count + part.unread.count == 120 && !part.unread.isEmpty)
    }
  }

  private func submit(_ people: [Person], to app: RegistryApp) async throws -> [SubmissionOutcome] {
    try await withThrowingTaskGroup(of: SubmissionOutcome.self) { group in
      for person in people { group.addTask { try await app.submit(person.body) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  @Test func whatMemoryHasIsAnsweredWithoutSuspending() async throws {
    try await withFixture("read_immediate") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await app.submit(person.body).isCreated)
      // Memory has it from the commit on or, where the listener was told of the entry first, from the first read on.
      let deadline = ContinuousClock.now + .seconds(60)
      while registry.metrics.memoryHits == 0, ContinuousClock.now < deadline { _ = try await app.user(person.id) }
      let isDone = Shared(false)
      let loop = fixture.readLoop
      let wasDoneAtOnce = await withCheckedContinuation { continuation in
        loop.execute {
          Task.immediate(executorPreference: loop) {
            let user = try await app.user(person.id)
            let resolved = try await app.users([person.id])
            let known = try await registry.app(person.app)
            isDone.value.withLock { $0 = user != nil && resolved.users.count == 1 && known === app }
          }
          continuation.resume(returning: isDone.value.withLock { $0 })
        }
      }
      #expect(wasDoneAtOnce)
      #expect(registry.metrics.memoryHits >= 3)
    }
  }

  @Test func aDryRunChangesNothing() async throws {
    try await withFixture("read_dry_run") { fixture in
      let app = try await fixture.app(in: fixture.registry()) { $0.admission = .invite }
      let expires = fixture.clock.now + 60_000
      let person = try Person(app: fixture.app, now: fixture.clock.now, delay: 60_000)
      let claim = try person.invited(by: fixture.admin, nonce: "n", expires: expires)
      #expect(try await app.dryRun(person.body) == .failure(Refusal(.admissionRefused)))
      for _ in 0..<2 {
        let run = try await app.dryRun(claim).get()
        #expect(run.effect == .effective && run.rank == nil && run.tier == nil && run.effective == fixture.clock.now)
      }
      let index = try app.snapshot().index
      #expect(index == 0)
      #expect(try await app.user(person.id) == nil)
      #expect(try await app.submit(claim).isCreated)
      #expect(try await app.dryRun(claim).get().effect == .same)
      fixture.clock.advance(by: 1)
      let recovery = try person.recovered(at: fixture.clock.now)
      let run = try await app.dryRun(recovery.body).get()
      #expect(run.effect == .pending && run.rank == 1 && run.effective == fixture.clock.now + 60_000)
      #expect(run.stoppableBy == [0, 1] && run.tier?.delay == 60_000)
      #expect(run.json.object?.names.count == 5)
      #expect(try await app.submit(recovery.body).isCreated)
      let same = try await app.dryRun(recovery.body).get()
      #expect(same.effect == .same && same.rank == 1 && same.tier == run.tier && same.stoppableBy == [0, 1])
      let other = try Person(app: fixture.app, now: fixture.clock.now)
      let second = try other.invited(by: fixture.admin, nonce: "n", expires: expires)
      #expect(try await app.dryRun(second) == .failure(Refusal(.admissionRefused)))
      let rows = try await fixture.sql("select count(*) from entries")
      #expect(try rows[0].int64(0) == 3)
    }
  }

  @Test func anAppIsMadeOnceAndItsPolicyChanges() async throws {
    try await withFixture("read_app") { fixture in
      let registry = try await fixture.registry()
      #expect(try await registry.app(fixture.app) == nil)
      #expect(try await registry.firstApp() == nil)
      let text = try fixture.policy()
      #expect(try await registry.createApp(text, id: fixture.app).isCreated)
      guard case .repeated = try await registry.createApp(text, id: fixture.app) else {
        throw Unexpected("not repeated")
      }
      let stranger = try fixture.policy { $0.contestWindow = 5 }
      #expect(try await registry.createApp(stranger, id: fixture.app).code == .staleHead)
      let app = try #require(try await registry.firstApp())
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await app.submit(person.body).isCreated)
      fixture.clock.advance(by: 1)
      let first = try app.snapshot()
      var rules = first.policy.rules
      rules.admission = .invite
      let draft = rules.draft(app: fixture.app, after: first.policy, now: fixture.clock.now)
      let next = try #require(draft.signed(approvedBy: [fixture.admin]))
      let unsigned = try #require(draft.signed(approvedBy: [SigningKey.generate()]))
      #expect(try await app.submit(SubmissionBody.verify(unsigned, app: fixture.app).get()).code == .notAuthorised)
      #expect(try await app.submit(SubmissionBody.verify(next, app: fixture.app).get()).isCreated)
      let second = try app.snapshot()
      #expect(second.policyText == next && second.index == 2 && second.users == 1 && second.policyEntries.count == 2)
      let late = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await app.submit(late.body).code == .admissionRefused)
      // Another instance starts from the database.
      let other = try #require(try await fixture.registry().app(fixture.app))
      let third = try other.snapshot()
      #expect(third.policyText == next && third.index == 2 && third.users == 1)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test func theFeedGoesOnWhereTheExportEnds() async throws {
    try await withFixture("read_feed") { fixture in
      let apps = [
        try await fixture.app(in: fixture.registry()), try await fixture.app(in: fixture.registry()),
      ]
      let heard = Shared<[FeedBatch.Item]>([])
      let first = try (0..<20).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for outcome in try await submit(first, to: apps[1]) { #expect(outcome.isCreated) }
      let subscription = apps[0].subscribe { batch in heard.value.withLock { $0 += batch.items } }
      let exported = try await apps[0].export(after: nil)
      let more = try (0..<40).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for (number, person) in more.enumerated() {
        #expect(try await apps[number % 2].submit(person.body).isCreated)
      }
      try await eventually("everything is heard") { heard.value.withLock { $0.last?.index } == 60 }
      let items = heard.value.withLock { $0 }
      #expect(items.map(\.index) == Array(subscription.startIndex + 1...60))
      let lines = exported.split(separator: UInt8(ascii: "\n"))
      #expect(Int64(lines.count) >= subscription.startIndex + 1)
      let all = try await apps[1].export(after: nil)
      let texts = all.split(separator: UInt8(ascii: "\n")).map { Array($0) }
      #expect(texts.count == 61 && items.allSatisfy { texts[Int($0.index)] == $0.text })
      let page = try await apps[1].export(after: 9, limit: 5)
      #expect(page.split(separator: UInt8(ascii: "\n")).map { Array($0) } == Array(texts[10..<15]))
      #expect(try await apps[1].export(after: 60).isEmpty)
      subscription.cancel()
      #expect(try await apps[0].submit(Person(app: fixture.app, now: fixture.clock.now).body).isCreated)
      #expect(heard.value.withLock { $0.count } == items.count)
    }
  }
}

extension UserSnapshot {
  /// The code of a refused position.
  fileprivate func record(atSequence sequence: Int64, _ body: (ProblemCode) -> ProblemCode) -> ProblemCode? {
    if case .failure(let refusal) = record(atSequence: sequence) { body(refusal.code) } else { nil }
  }
}
