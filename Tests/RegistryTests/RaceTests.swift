import Cryptography
import KeyRecords
import PeerstackFormat
import Postgres
import PostgresTestSupport
import Registry
import RegistryAPI
import Synchronization
import Testing

/// Many at once, in one instance and in several on one database.
@Suite struct RaceTests {
  /// Submits all at once, spread over some apps (handles of one app in several instances).
  private func submitAll(_ bodies: [SubmissionBody], to apps: [RegistryApp]) async throws -> [SubmissionOutcome] {
    try await withThrowingTaskGroup(of: (Int, SubmissionOutcome).self) { group in
      for (number, body) in bodies.enumerated() {
        let app = apps[number % apps.count]
        group.addTask { (number, try await app.submit(body)) }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }.sorted { $0.key < $1.key }.map(\.value)
    }
  }

  @Test(arguments: [1, 2]) func oneOfManyClaimsOfAnIdIsCreated(instances: Int) async throws {
    try await withFixture("race_claims_\(instances)") { fixture in
      var apps: [RegistryApp] = []
      for _ in 0..<instances {
        apps.append(try await fixture.app(in: fixture.registry()) { $0.boundSince = nil })
      }
      let id = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
      let bodies = try (0..<200).map { _ in try Person(app: fixture.app, now: fixture.clock.now, id: id).body }
      let outcomes = try await submitAll(bodies, to: apps)
      #expect(outcomes.count(where: \.isCreated) == 1)
      #expect(outcomes.count { $0.code == .idTaken } == 199)
      for app in apps { #expect(try await app.user(id)?.entries.count == 1) }
      #expect(try await fixture.differences() == [])
    }
  }

  @Test(arguments: [1, 2]) func oneOfManyRotationsFromAHeadIsCreated(instances: Int) async throws {
    try await withFixture("race_rotations_\(instances)") { fixture in
      var apps: [RegistryApp] = []
      for _ in 0..<instances { apps.append(try await fixture.app(in: fixture.registry())) }
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await apps[0].submit(person.body).isCreated)
      fixture.clock.advance(by: 1)
      let bodies = try (0..<200).map { _ in try person.rotated(at: fixture.clock.now).body }
      let outcomes = try await submitAll(bodies, to: apps)
      #expect(outcomes.count(where: \.isCreated) == 1)
      #expect(outcomes.count { $0.code == .staleHead } == 199)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test func instancesOnOneDatabaseMakeOneHistoryWithoutGaps() async throws {
    try await withFixture("race_instances") { fixture in
      let remembering = try await fixture.app(in: fixture.registry())
      let forgetful = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let apps = [remembering, forgetful]
      let people = try (0..<150).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      let claims = try await submitAll(people.map { try $0.body }, to: apps)
      #expect(claims.allSatisfy { $0.isCreated })
      fixture.clock.advance(by: 1)
      // Each rotates where somebody else may have claimed.
      let bodies = try people.map { try $0.rotated(at: fixture.clock.now).body }
      let rotations = try await submitAll(bodies, to: [forgetful, remembering])
      #expect(rotations.allSatisfy { $0.isCreated })
      for app in apps {
        try await eventually("it has heard everything") { try app.snapshot().index == 300 }
        let users = try app.snapshot().users
        #expect(users == 150)
      }
      let report = try await Registry.check(fixture.postgres, loop: fixture.loop)
      #expect(report.differences == [] && report.entryCount == 301 && report.userCount == 150)
    }
  }

  @Test(arguments: [1, 2]) func aKeyServesOneUserOnly(instances: Int) async throws {
    try await withFixture("race_keys_\(instances)") { fixture in
      var apps: [RegistryApp] = []
      for _ in 0..<instances {
        apps.append(try await fixture.app(in: fixture.registry()) { $0.boundSince = nil })
      }
      let key = SigningKey.generate()
      let bodies = try (0..<100).map { _ in
        let id = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
        return try Person(app: fixture.app, now: fixture.clock.now, id: id, key: key).body
      }
      let outcomes = try await submitAll(bodies, to: apps)
      #expect(outcomes.count(where: \.isCreated) == 1)
      #expect(outcomes.count { $0.code == .keyReused } == 99)
      // A bound claim is never refused for it, and the one who had the key cannot use it again either.
      let bound = try Person(app: fixture.app, now: fixture.clock.now, key: key)
      #expect(try await apps[0].submit(bound.body).isCreated)
      let other = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await apps[0].submit(other.body).isCreated)
      fixture.clock.advance(by: 1)
      let reuse = try other.rotated(at: fixture.clock.now, to: key)
      #expect(try await apps[0].submit(reuse.body).code == .keyReused)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test(arguments: [1, 2]) func anInvitationIsUsedOnce(instances: Int) async throws {
    try await withFixture("race_nonces_\(instances)") { fixture in
      var apps: [RegistryApp] = []
      for _ in 0..<instances {
        apps.append(try await fixture.app(in: fixture.registry()) { $0.admission = .invite })
      }
      let expires = fixture.clock.now + 60_000
      // A zero is a character as any other.
      let nonce = "once\0only"
      let bodies = try (0..<100).map { _ in
        try Person(app: fixture.app, now: fixture.clock.now)
          .invited(by: fixture.admin, nonce: nonce, expires: expires)
      }
      let outcomes = try await submitAll(bodies, to: apps)
      #expect(outcomes.count(where: \.isCreated) == 1)
      #expect(outcomes.count { $0.code == .admissionRefused } == 99)
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await apps[0].submit(person.body).code == .admissionRefused)
      let second = try person.invited(by: fixture.admin, nonce: "twice", expires: expires)
      #expect(try await apps[0].submit(second).isCreated)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test func submissionsAreCommittedTogether() async throws {
    try await withFixture("race_groups") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let bodies = try (0..<200).map { _ in try Person(app: fixture.app, now: fixture.clock.now).body }
      let outcomes = try await submitAll(bodies, to: [app])
      #expect(outcomes.allSatisfy { $0.isCreated })
      let sizes = registry.metrics.batchSizes
      #expect(sizes.entries == 200 && registry.metrics.accepted == 200)
      #expect(sizes.batches < 100, "\(sizes)")
      let transactions = try await fixture.sql("select count(distinct xmin::text) from entries")
      #expect(try transactions[0].int64(0) == Int64(sizes.batches) + 1)
    }
  }

  @Test func theSameRecordTwiceInABatchIsAcceptedOnce() async throws {
    try await withFixture("race_same") { fixture in
      let app = try await fixture.app(in: fixture.registry())
      let body = try Person(app: fixture.app, now: fixture.clock.now).body
      let outcomes = try await submitAll(Array(repeating: body, count: 50), to: [app])
      #expect(outcomes.count(where: \.isCreated) == 1)
      #expect(Set(outcomes.compactMap(\.entryText)).count == 1 && outcomes.allSatisfy { $0.entryText != nil })
    }
  }

  @Test func moreThanMayWaitAreTurnedAway() async throws {
    try await withFixture("race_queue") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let body = try Person(app: fixture.app, now: fixture.clock.now).body
      let session = PostgresSession(configuration: fixture.postgres, loop: fixture.readLoop)
      defer { session.close() }
      let submissions = Shared<[Task<SubmissionOutcome, any Error>]>([])
      // While somebody else has the lock, nothing is decided.
      try await session.transaction { transaction in
        try await transaction.query(PreparedStatement("lock", "select 1 from apps for update"))
        let tasks = (0..<5_000).map { _ in Task { try await app.submit(body) } }
        submissions.value.withLock { $0 = tasks }
        try await eventually("some are turned away") { registry.metrics.unavailable == 5_000 - 4_096 }
        #expect(registry.metrics.queued == 4_096)
      }
      var created = 0
      var repeated = 0
      for submission in submissions.value.withLock({ $0 }) {
        switch await submission.result {
        case .success(.created): created += 1
        case .success(.repeated): repeated += 1
        case .success(.refused(let refusal)): throw refusal
        case .failure(let error): #expect(error is RegistryUnavailable)
        }
      }
      #expect(created == 1 && repeated == 4_095 && registry.metrics.queued == 0)
    }
  }
}
