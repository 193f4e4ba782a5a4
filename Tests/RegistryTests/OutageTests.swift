import Glibc
import KeyRecords
import PeerstackFormat
import Postgres
import PostgresCluster
import PostgresTestSupport
import Registry
import RegistryAPI
import Synchronization
import Testing

/// What happens when the database goes, and comes back.
@Suite(.serialized) struct OutageTests {
  /// What became of submissions: none is missing, as each call has returned.
  private struct Tally: Sendable {
    var acknowledged: [SubmissionBody] = []
    var unknown: [SubmissionBody] = []
  }

  private func submitAll(_ bodies: [SubmissionBody], to app: RegistryApp, killing kill: @Sendable () -> Void)
    async throws -> Tally
  {
    try await withThrowingTaskGroup(of: (SubmissionBody, Bool).self) { group in
      for body in bodies {
        group.addTask {
          do throws(RegistryUnavailable) {
            let outcome = try await app.submit(body)
            if outcome.entryText == nil { Issue.record("refused: \(Unexpected(outcome))") }
            return (body, true)
          } catch {
            return (body, false)
          }
        }
      }
      var tally = Tally()
      while let (body, isAcknowledged) = try await group.next() {
        // In the middle: some have been answered, most have not.
        if tally.acknowledged.isEmpty, tally.unknown.isEmpty { kill() }
        if isAcknowledged { tally.acknowledged.append(body) } else { tally.unknown.append(body) }
      }
      return tally
    }
  }

  @Test func nothingAcknowledgedIsLostWhenPostgresIsKilled() async throws {
    let database = try TestDatabase()
    try await withFixture("outage_kill", database: database) { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      var (rounds, hits) = (0, 0)
      // A kill that comes when all has been committed shows nothing: such a round does not count.
      while hits < 3 {
        rounds += 1
        try #require(rounds <= 30, "the kills come too late")
        let bodies = try (0..<600).map { _ in try Person(app: fixture.app, now: fixture.clock.now).body }
        let retries = registry.metrics.batchRetries
        let process = pid_t(try await postmaster(fixture))
        let tally = try await submitAll(bodies, to: app) { Glibc.kill(process, SIGKILL) }
        #expect(tally.acknowledged.count + tally.unknown.count == 600)
        // What could not be saved by running it again is unknown.
        if !tally.unknown.isEmpty || registry.metrics.batchRetries > retries { hits += 1 }
        try await persistently { try await fixture.sql("select 1") }
        for body in tally.acknowledged {
          let subject = try #require(body.submission.subject)
          let user = try await persistently { try await app.user(subject) }
          #expect(user?.entries.first?.hash == body.submission.hash)
          let again = try await persistently { try await app.submit(body) }
          guard case .repeated = again else { throw Unexpected("an acknowledged record is gone") }
        }
        for body in tally.unknown {
          // It may or may not have been accepted; sent again it is in any case.
          let again = try await persistently { try await app.submit(body) }
          #expect(again.entryText != nil)
        }
        #expect(try await fixture.differences() == [])
        #expect(registry.metrics.queued == 0)
      }
      let other = try await fixture.app(in: fixture.registry())
      let (here, there) = (try app.snapshot(), try other.snapshot())
      let expected = Int64(rounds * 600)
      #expect(here.index == expected && there.index == expected && there.users == expected)
    }
  }

  /// Asks until the database has come back.
  @discardableResult
  private func persistently<T>(_ call: () async throws -> T) async throws -> T {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        return try await call()
      } catch {
        let isAbsence = (error as? PostgresError)?.isAbsence ?? (error is RegistryUnavailable)
        guard isAbsence, ContinuousClock.now < deadline else { throw error }
        try await Task.sleep(for: .milliseconds(10))
      }
    }
  }

  private func postmaster(_ fixture: Fixture) async throws -> Int64 {
    let text = "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint"
    return try await persistently { try await fixture.sql(text)[0].int64(0) }
  }

  @Test func memoryAnswersWhileTheDatabaseIsAway() async throws {
    let database = try TestDatabase(supervised: false)
    try await withFixture("outage_memory", database: database) { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      #expect(try await app.submit(person.body).isCreated)
      let other = try Person(app: fixture.app, now: fixture.clock.now)
      let before = try await app.users([person.id])
      #expect(try database.cluster.stop() == .stopped)
      try await eventually("it is noticed") { !registry.isReady && !registry.metrics.isDatabaseUp }
      #expect(try await app.user(person.id)?.headRecord == person.text)
      fixture.clock.advance(by: 3_600_000)
      let during = try await app.users([person.id])
      #expect(during.users.count == 1)
      // It vouches for no time at which it could not hear.
      #expect(during.asOf.time < before.asOf.time + 120_000 && during.asOf.index == 1)
      let unread = await unavailability { try await app.user(other.id) }
      let unsent = await unavailability { try await app.submit(other.body) }
      let unexported = await unavailability { try await app.export(after: nil) }
      #expect(unread && unsent && unexported)
      try database.cluster.start(supervised: false)
      try await eventually("it has come back by itself") { registry.isReady }
      fixture.clock.advance(by: -3_600_000)
      let outcome = try await persistently { try await app.submit(other.body) }
      #expect(outcome.isCreated)
      #expect(try await app.user(other.id) != nil)
    }
  }

  /// Whether a call says that the registry is unavailable.
  private func unavailability<T>(_ call: () async throws -> T) async -> Bool {
    do {
      _ = try await call()
      return false
    } catch {
      return error is RegistryUnavailable
    }
  }

  /// A transaction that is in the database although its connection died before the answer: Postgres waits for a standby
  /// that does not exist, after the commit and before the answer, and is ended there.
  @Test func aCommitWithoutAnAnswerIsFoundOut() async throws {
    let database = try TestDatabase(settings: [
      ("synchronous_standby_names", "nobody"), ("synchronous_commit", "local"),
    ])
    try await withFixture("outage_unknown", database: database) { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      try await fixture.sql("create table waiting (n bigint)")
      try await fixture.sql("grant select on waiting to peerstack_registrar")
      try await fixture.sql(
        """
        create function wait_for_nobody() returns trigger language plpgsql as '
        begin
          if exists (select from waiting) then perform set_config(''synchronous_commit'', ''on'', true); end if;
          return null;
        end'
        """)
      try await fixture.sql(
        "create trigger wait_for_nobody after insert on entries for each statement execute function wait_for_nobody()")
      try await fixture.sql("insert into waiting values (1)")
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      let submission = Task { try await app.submit(person.body) }
      let isWaiting = "select pid::bigint from pg_stat_activity where wait_event = 'SyncRep' and query = 'commit'"
      try await eventually("the commit waits") { try await !fixture.sql(isWaiting).isEmpty }
      try await fixture.sql("delete from waiting")
      let backend = try await fixture.sql(isWaiting)[0].int64(0)
      try await fixture.sql("select pg_terminate_backend($1::bigint::int)", [.int8(backend)])
      let outcome = try await submission.value
      #expect(outcome.isCreated)
      #expect(registry.metrics.batchRetries >= 1 && registry.metrics.accepted == 1)
      let rows = try await fixture.sql("select count(*) from entries")
      #expect(try rows[0].int64(0) == 2)
      #expect(try await app.user(person.id)?.entries.count == 1)
      #expect(try await fixture.differences() == [])
    }
  }

  /// A transaction that is not in the database, whose connection died while it was being committed.
  @Test func aCommitThatDidNotHappenIsRunAgain() async throws {
    try await withFixture("outage_rolled_back") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      try await fixture.sql("create table napping (n bigint)")
      try await fixture.sql("grant select on napping to peerstack_registrar")
      try await fixture.sql(
        """
        create function nap() returns trigger language plpgsql as '
        begin
          if exists (select from napping) then perform pg_sleep(300); end if;
          return null;
        end'
        """)
      try await fixture.sql(
        """
        create constraint trigger nap after insert on entries deferrable initially deferred
          for each row execute function nap()
        """)
      try await fixture.sql("insert into napping values (1)")
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      let submission = Task { try await app.submit(person.body) }
      let isNapping =
        """
        select pid::bigint from pg_stat_activity
        where query = 'commit' and wait_event = 'PgSleep' and application_name = 'registrar'
        """
      try await eventually("the commit sleeps") { try await !fixture.sql(isNapping).isEmpty }
      try await fixture.sql("delete from napping")
      for row in try await fixture.sql(isNapping) {
        try await fixture.sql("select pg_terminate_backend($1::bigint::int)", [.int8(try row.int64(0))])
      }
      let outcome = try await submission.value
      #expect(outcome.isCreated && registry.metrics.batchRetries >= 1)
      #expect(try await fixture.differences() == [])
    }
  }

  @Test func whatWaitsAtTheEndIsAnswered() async throws {
    try await withFixture("outage_stop") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let bodies = try (0..<300).map { _ in try Person(app: fixture.app, now: fixture.clock.now).body }
      let stopped = Shared<Task<Void, Never>?>(nil)
      let tally = try await submitAll(bodies, to: app) {
        stopped.value.withLock { $0 = Task { await registry.stop() } }
      }
      await stopped.value.withLock { $0 }?.value
      #expect(tally.acknowledged.count + tally.unknown.count == 300)
      let other = try await fixture.app(in: fixture.registry())
      for body in tally.acknowledged {
        guard case .repeated = try await other.submit(body) else { throw Unexpected("an acknowledged record is gone") }
      }
    }
  }
}
