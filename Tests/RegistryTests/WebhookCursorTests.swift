import KeyRecords
import Postgres
import Registry
import Testing

/// How far a webhook has been told, and who tells it.
@Suite struct WebhookCursorTests {
  private static let long: Duration = .seconds(3_600)

  @Test func aNewCursorStandsBehindWhatThereIs() async throws {
    try await withFixture("cursor_new") { fixture in
      let registry = try await fixture.registry()
      let early = registry.webhookCursor(of: fixture.app, lease: Self.long)
      #expect(try await early.take() == nil)
      try await early.prepare()
      #expect(try await early.take() == 0)
      let app = try await fixture.app(in: registry)
      #expect(try await app.submit(Person(app: fixture.app, now: fixture.clock.now).body).isCreated)
      // It is there already, and stays where it is.
      try await early.prepare()
      #expect(try await early.take() == 0)
      try await fixture.sql("delete from webhook_cursors")
      try await early.prepare()
      #expect(try await early.take() == 2)
    }
  }

  @Test func oneHolderAtATime() async throws {
    try await withFixture("cursor_holder") { fixture in
      let first = try await fixture.registry().webhookCursor(of: fixture.app, lease: Self.long)
      let second = try await fixture.registry().webhookCursor(of: fixture.app, lease: Self.long)
      try await first.prepare()
      #expect(try await first.take() == 0)
      #expect(try await second.take() == nil)
      #expect(try await !second.advance(to: 9))
      #expect(try await first.advance(to: 3))
      #expect(try await second.take() == nil)
      try await second.release(at: 9)
      #expect(try await first.take() == 3)
      // Back it never goes.
      #expect(try await first.advance(to: 2))
      #expect(try await first.take() == 3)
      try await first.release(at: 4)
      #expect(try await second.take() == 4)
      #expect(try await first.take() == nil)
      #expect(try await !first.advance(to: 9))
      #expect(try await second.take() == 4)
    }
  }

  @Test func aLeaseRunsOutByTheClockOfTheDatabase() async throws {
    try await withFixture("cursor_lease") { fixture in
      let registry = try await fixture.registry()
      let first = registry.webhookCursor(of: fixture.app, lease: .milliseconds(50))
      let second = registry.webhookCursor(of: fixture.app, lease: Self.long)
      try await first.prepare()
      #expect(try await first.take() == 0)
      // The clock of the registry stands still meanwhile.
      try await eventually("the lease has run out") { try await second.take() == 0 }
      #expect(try await !first.advance(to: 1))
      #expect(try await first.take() == nil)
    }
  }

  @Test func ofManyWhoTakeItAtOnceOneHasIt() async throws {
    try await withFixture("cursor_race") { fixture in
      let registries = [try await fixture.registry(), try await fixture.registry()]
      try await registries[0].webhookCursor(of: fixture.app, lease: Self.long).prepare()
      let holders = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<20 {
          let cursor = registries[number % 2].webhookCursor(of: fixture.app, lease: Self.long)
          group.addTask { try await cursor.take() == nil ? 0 : 1 }
        }
        return try await group.reduce(0, +)
      }
      #expect(holders == 1)
    }
  }
}
