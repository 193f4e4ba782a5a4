import Cryptography
import KeyRecords
import Registry
import Testing

/// What time does, and what the clock may not do.
@Suite struct TimeTests {
  @Test func aDelayedRecordTakesEffectByTheClockAlone() async throws {
    try await withFixture("time_delay") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let other = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let person = try Person(app: fixture.app, now: fixture.clock.now, delay: 3_600_000)
      #expect(try await app.submit(person.body).isCreated)
      fixture.clock.advance(by: 1)
      let recovery = try person.recovered(at: fixture.clock.now)
      #expect(try await app.submit(recovery.body).isCreated)
      let pending = try #require(try await app.user(person.id))
      #expect(pending.headRecord == person.text && pending.validUntil == fixture.clock.now + 3_600_000)
      fixture.clock.advance(by: 3_599_999)
      let stillPending = try #require(try await app.user(person.id))
      #expect(stillPending.headRecord == person.text && stillPending.stateTag == pending.stateTag)
      fixture.clock.advance(by: 1)
      for app in [app, other] {
        let user = try #require(try await app.user(person.id))
        #expect(user.headRecord == recovery.text && user.validUntil == .max)
        #expect(user.stateText != pending.stateText && user.stateTag != pending.stateTag)
        let resolved = try await app.users([person.id])
        #expect(resolved.users[person.id]?.headRecord == recovery.text)
      }
      let next = try recovery.amended(at: fixture.clock.now)
      #expect(try await other.submit(next.body).isCreated)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test func acceptedNeverDecreases() async throws {
    try await withFixture("time_back") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let start = fixture.clock.now
      var person = try Person(app: fixture.app, now: start)
      #expect(try await app.submit(person.body).isCreated)
      #expect(registry.metrics.clockHeldBack == 0)
      // Two minutes back: the last time is used until the clock has caught up.
      fixture.clock.setJump(-120_000)
      person = try person.rotated(at: start + 1)
      #expect(try await app.submit(person.body).isCreated)
      let user = try #require(try await app.user(person.id))
      #expect(user.entries.map(\.accepted) == [start, start])
      #expect(registry.metrics.clockHeldBack == 1 && registry.metrics.isClockRight)
      let time = try app.snapshot().time
      #expect(time == start)
      fixture.clock.advance(by: 180_000)
      person = try person.rotated(at: fixture.clock.now)
      #expect(try await app.submit(person.body).isCreated)
      #expect(try await app.user(person.id)?.entries.last?.accepted == start + 60_000)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test(arguments: [-301_000, 301_000] as [Int64]) func aClockThatJumpsIsNotBelieved(jump: Int64) async throws {
    try await withFixture("time_jump_\(jump.magnitude)_\(jump > 0 ? "ahead" : "back")") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await app.submit(person.body).isCreated)
      fixture.clock.advance(by: 1)
      fixture.clock.setJump(jump)
      let rotation = try person.rotated(at: fixture.clock.now)
      await #expect(throws: RegistryUnavailable.self) { try await app.submit(rotation.body) }
      await #expect(throws: RegistryUnavailable.self) { try await app.dryRun(rotation.body) }
      #expect(!registry.metrics.isClockRight)
      // What does not depend on time is answered.
      #expect(try await app.user(person.id)?.headRecord == person.text)
      fixture.clock.setJump(0)
      let again = try person.rotated(at: fixture.clock.now)
      #expect(try await app.submit(again.body).isCreated)
      #expect(registry.metrics.isClockRight)
    }
  }
}

extension UserSnapshot {
  /// The canonical JSON of the head, while the user is active.
  var headRecord: [UInt8]? {
    if case .record(let head) = key { head.record } else { nil }
  }
}
