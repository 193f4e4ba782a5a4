import Glibc
import Postgres
import PostgresCluster
import PostgresTestSupport
import Synchronization
import Testing

/// What happens when the whole database goes, and comes back.
@Suite(.serialized) struct OutageTests {
  private func terminations(_ outcomes: [Result<Void, any Error>]) -> (answered: Int, failed: Int) {
    var answered = 0
    var failed = 0
    for outcome in outcomes {
      switch outcome {
      case .success: answered += 1
      case .failure(let error as PostgresError) where error.isAbsence: failed += 1
      case .failure(let error): Issue.record("unexpected error \(error)")
      }
    }
    return (answered, failed)
  }

  @Test func everyQueryIsAnsweredOnceWhenPostgresIsKilled() async throws {
    let database = try TestDatabase()
    let loop = TestLoop()
    let pool = PostgresPool(configuration: try database.configuration(), loop: loop)
    let session = PostgresSession(configuration: try database.configuration(), loop: loop)
    defer {
      pool.close()
      session.close()
      loop.stop()
    }
    let postmaster = PreparedStatement(
      "postmaster", "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint")
    for _ in 0..<3 {
      let processID = pid_t(try await pool.query(postmaster)[0].int64(0))
      let outcomes = await withTaskGroup(of: Result<Void, any Error>.self) { group in
        for number in 0..<1000 {
          group.addTask(executorPreference: loop) {
            do {
              _ = try await pool.query(.sleep, [.int8(Int64(number)), .int8(50)])
              return .success(())
            } catch { return .failure(error) }
          }
        }
        for _ in 0..<20 {
          group.addTask(executorPreference: loop) {
            do {
              _ = try await session.transaction { try await $0.query(.sleep, [.int8(1), .int8(50)]) }
              return .success(())
            } catch { return .failure(error) }
          }
        }
        // In the middle: some have been answered, most have not.
        _ = await group.next()
        kill(processID, SIGKILL)
        return await group.reduce(into: [.success(())]) { $0.append($1) }
      }
      #expect(outcomes.count == 1020)
      let (answered, failed) = terminations(outcomes)
      #expect(answered + failed == 1020 && failed > 0)
      // Recovery by itself.
      try await waitUntilAnswered { _ = try await pool.query(.one) }
      try await waitUntilAnswered { _ = try await session.transaction { try await $0.query(.one) } }
    }
  }

  private func waitUntilAnswered(_ ask: () async throws -> Void) async throws {
    while true {
      do {
        return try await ask()
      } catch let error as PostgresError where error.isAbsence {
        try await Task.sleep(for: .milliseconds(10))
      }
    }
  }

  @Test func aCommitThatDiesHasAnUnknownOutcomeAndBeforeItACertainOne() async throws {
    let database = try TestDatabase()
    let loop = TestLoop()
    let session = PostgresSession(configuration: try database.configuration(), loop: loop)
    let other = PostgresSession(configuration: try database.configuration(), loop: loop)
    defer {
      session.close()
      other.close()
      loop.stop()
    }
    try await waitUntilAnswered { _ = try await session.transaction { try await $0.query(.one) } }
    // Before the commit.
    let before = await #expect(throws: PostgresError.self) {
      try await session.transaction { transaction in
        let backend = try await transaction.query(.backend)[0].int64(0)
        _ = try await other.transaction { try await $0.query(.terminate, [.int8(backend)]) }
        try await transaction.query(.one)
      }
    }
    #expect(before?.kind == .connectionLost && before?.isCertainlyNotCommitted == true)
    // During the commit: a trigger that waits at its end.
    let setUp = [
      "create table slow (n bigint)",
      "create function nap() returns trigger language plpgsql as 'begin perform pg_sleep(60); return null; end'",
      """
      create constraint trigger nap after insert on slow deferrable initially deferred
        for each row execute function nap()
      """,
    ]
    try await waitUntilAnswered {
      _ = try await session.transaction { transaction in
        for (index, sql) in setUp.enumerated() {
          try await transaction.query(PreparedStatement(["a", "b", "c"][index], sql))
        }
      }
    }
    let pid = Mutex<Int64>(0)
    let committing = Task {
      try await session.transaction { transaction in
        let backend = try await transaction.query(.backend)[0].int64(0)
        pid.withLock { $0 = backend }
        try await transaction.query(PreparedStatement("insert_slow", "insert into slow values (1)"))
      }
    }
    let isCommitting = PreparedStatement(
      "is_committing", "select count(*) from pg_stat_activity where query = 'commit' and wait_event = 'PgSleep'")
    while try await other.transaction({ try await $0.query(isCommitting)[0].int64(0) }) == 0 {}
    let backend = pid.withLock { $0 }
    _ = try await other.transaction { try await $0.query(.terminate, [.int8(backend)]) }
    let during = await #expect(throws: PostgresError.self) { try await committing.value }
    #expect(during?.kind == .outcomeUnknown && during?.isCertainlyNotCommitted == false)
  }
}
