import Dispatch
import KeyRecords
import PeerstackFormat
import Postgres
import PostgresTestSupport
import Registry
import RegistryAPI
import Synchronization
import Testing

/// Memory never says less than was said or written before, in one instance and in several.
@Suite struct CoherenceTests {
  @Test func otherInstancesHear() async throws {
    try await withFixture("coherence_hear") { fixture in
      let first = try await fixture.app(in: fixture.registry())
      let second = try await fixture.app(in: fixture.registry())
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      // Both remember that nobody has claimed it.
      for app in [first, second] { #expect(try await app.user(person.id) == nil) }
      #expect(try await second.submit(person.body).isCreated)
      #expect(try await second.user(person.id)?.headRecord == person.text)
      try await eventually("the first hears of the claim") { try await first.user(person.id) != nil }
      fixture.clock.advance(by: 1)
      let rotation = try person.rotated(at: fixture.clock.now)
      #expect(try await first.submit(rotation.body).isCreated)
      #expect(try await first.user(person.id)?.headRecord == rotation.text)
      try await eventually("the second hears of the rotation") {
        try await second.user(person.id)?.headRecord == rotation.text
      }
      fixture.clock.advance(by: 1)
      // What the first has not heard, it finds when it writes.
      let amended = try rotation.amended(at: fixture.clock.now)
      #expect(try await second.submit(amended.body).isCreated)
      #expect(try await first.submit(rotation.rotated(at: fixture.clock.now).body).code == .staleHead)
      #expect(try await first.user(person.id)?.headRecord == amended.text)
    }
  }

  /// Commits that follow each other closely share a notification; the last of them is told of too.
  @Test func theLastOfManyCommitsIsToldOf() async throws {
    try await withFixture("coherence_told") { fixture in
      let heard = Shared<[String]>([])
      let listens = Shared(false)
      let listener = try NotificationListener(
        configuration: fixture.postgres, loop: fixture.readLoop, channels: ["peerstack_registrar"],
        onNotification: { _, payload in heard.value.withLock { $0.append(payload) } },
        onResync: { listens.value.withLock { $0 = true } })
      try await eventually("it listens") { listens.value.withLock { $0 } }
      let app = try await fixture.app(in: fixture.registry())
      for _ in 0..<60 {
        #expect(try await app.submit(Person(app: fixture.app, now: fixture.clock.now).body).isCreated)
      }
      let index = try app.snapshot().index
      try await eventually("the last is told of") { heard.value.withLock { $0.contains("\(fixture.app) \(index)") } }
      listener.close()
    }
  }

  @Test func lostNotificationsAreMadeUpFor() async throws {
    try await withFixture("coherence_lost") { fixture in
      let first = try await fixture.app(in: fixture.registry())
      let second = try await fixture.app(in: fixture.registry())
      let heard = Shared<[Int64]>([])
      let subscription = first.subscribe { batch in heard.value.withLock { $0 += batch.items.map(\.index) } }
      for round in 1...10 {
        try await fixture.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'")
        for _ in 0..<3 {
          #expect(try await second.submit(Person(app: fixture.app, now: fixture.clock.now).body).isCreated)
        }
        try await eventually("all are heard") { heard.value.withLock { $0.count } >= round * 3 }
      }
      #expect(heard.value.withLock { $0 } == Array(1...30))
      subscription.cancel()
    }
  }

  /// Readers of two instances while both write: for each instance, no user and no index ever goes back, and no answer has
  /// an entry that the index does not cover.
  @Test(arguments: [64 << 20, 64 << 10, 0]) func noReaderGoesBack(memoryBytes: Int) async throws {
    try await withFixture("coherence_back_\(memoryBytes)") { fixture in
      let first = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let second = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let apps = [first, second]
      let people = try (0..<6).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await first.submit(person.body).isCreated) }
      let isOver = Shared(false)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for app in apps {
          for _ in 0..<2 {
            group.addTask { try await watch(app, people.map(\.id)) { isOver.value.withLock { $0 } } }
          }
        }
        try await withThrowingTaskGroup(of: Void.self) { writers in
          for (number, person) in people.enumerated() {
            writers.addTask {
              var person = person
              for step in 0..<20 {
                person = try person.recovered(at: fixture.clock.now)
                let app = apps[(number + step) % 2]
                let outcome = try await app.submit(person.body)
                guard outcome.isCreated else { throw Unexpected(outcome) }
                let own = try await app.user(person.id)
                guard own?.headRecord == person.text else { throw Unexpected("an own write was not read") }
              }
            }
          }
          try await writers.waitForAll()
        }
        isOver.value.withLock { $0 = true }
        try await group.waitForAll()
      }
      #expect(try await fixture.differences() == [])
    }
  }

  private func watch(_ app: RegistryApp, _ ids: [UserID], until isOver: () -> Bool) async throws {
    var newest: [UserID: Int64] = [:]
    var index: Int64 = 0
    func see(_ user: UserSnapshot, upTo limit: Int64) throws {
      let last = user.entries.last?.index ?? -1
      guard last >= newest[user.id] ?? -1 else { throw Unexpected("a user has gone back") }
      guard last <= limit else { throw Unexpected("an entry beyond the index") }
      newest[user.id] = last
    }
    while !isOver(), !Task.isCancelled {
      // Where all is answered from memory nothing else would give up the thread.
      await Task.yield()
      for id in ids {
        if let user = try await app.user(id) { try see(user, upTo: app.snapshot().index) }
      }
      let resolved = try await app.users(ids)
      for user in resolved.users.values { try see(user, upTo: resolved.asOf.index) }
      guard resolved.users.count == ids.count, resolved.asOf.index >= index else {
        throw Unexpected("less than before")
      }
      index = resolved.asOf.index
    }
  }

  @Test func memoryStaysWithinItsBudget() async throws {
    try await withFixture("coherence_budget") { fixture in
      let registry = try await fixture.registry(memoryBytes: 256 << 10)
      let app = try await fixture.app(in: registry)
      let people = try (0..<200).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      var metrics = registry.metrics
      #expect(metrics.memoryBytes <= 256 << 10 && metrics.memoryEvictions > 0)
      #expect(metrics.memoryUsers > 0 && metrics.memoryUsers < 200)
      for person in people { #expect(try await app.user(person.id)?.headRecord == person.text) }
      // Nobody's ids do not fill memory either.
      for _ in 0..<3_000 {
        let id = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
        #expect(try await app.user(id) == nil)
      }
      metrics = registry.metrics
      #expect(metrics.memoryBytes <= 256 << 10)
      for person in people { #expect(try await app.user(person.id)?.headRecord == person.text) }
    }
  }

  @Test func manyWhoAskForOneUserAskTheDatabaseOnce() async throws {
    try await withFixture("coherence_flight") { fixture in
      let writer = try await fixture.app(in: fixture.registry())
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await writer.submit(person.body).isCreated)
      let app = try await fixture.app(in: fixture.registry())
      let loop = fixture.readLoop
      // All ask within one turn of the loop, before any answer can come.
      let heads = await withCheckedContinuation { (continuation: CheckedContinuation<[[UInt8]?], Never>) in
        loop.execute {
          let tasks = (0..<100).map { _ in
            Task.immediate(executorPreference: loop) { try await app.user(person.id)?.headRecord }
          }
          Task {
            var heads: [[UInt8]?] = []
            for task in tasks { heads.append((try? await task.value) ?? nil) }
            continuation.resume(returning: heads)
          }
        }
      }
      #expect(heads.count == 100 && heads.allSatisfy { $0 == person.text })
    }
  }

  /// More was accepted elsewhere than is caught up with inside a transaction.
  @Test func anInstanceThatIsFarBehindWritesWhenItHasCaughtUp() async throws {
    try await withFixture("coherence_behind") { fixture in
      let other = try await fixture.app(in: fixture.registry())
      let loop = TestLoop()
      defer { loop.stop() }
      let registry = try await Registry.start(fixture.configuration(), readLoops: [loop], commitLoop: loop)
      let app = try await fixture.app(in: registry)
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await other.submit(person.body).isCreated)
      try await eventually("the claim is heard") { try await app.user(person.id) != nil }
      let bodies = try (0..<700).map { _ in try Person(app: fixture.app, now: fixture.clock.now).body }
      fixture.clock.advance(by: 1)
      let rotation = try person.rotated(at: fixture.clock.now)
      let amendment = try rotation.amended(at: fixture.clock.now)
      // It hears nothing while its loop stands still; what is submitted meanwhile comes first afterwards.
      let gate = DispatchSemaphore(value: 0)
      defer { gate.signal() }
      loop.execute { gate.wait() }
      let submission = Task { try await app.submit(amendment.body) }
      let outcomes = try await submitAll(bodies + [rotation.body], to: other)
      try await eventually("it waits") { registry.metrics.queued == 1 }
      gate.signal()
      #expect(outcomes.allSatisfy { $0.isCreated })
      let outcome = try await submission.value
      #expect(outcome.isCreated)
      #expect(try await app.user(person.id)?.headRecord == amendment.text)
      let here = try app.snapshot()
      #expect(here.index == 703 && here.users == 701)
      await registry.stop()
    }
  }

  private func submitAll(_ bodies: [SubmissionBody], to app: RegistryApp) async throws -> [SubmissionOutcome] {
    try await withThrowingTaskGroup(of: SubmissionOutcome.self) { group in
      for body in bodies { group.addTask { try await app.submit(body) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }
}
