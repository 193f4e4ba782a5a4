import Postgres
import PostgresCluster
import PostgresTestSupport
import Testing

@Suite struct SessionTests {
  private static let insert = PreparedStatement("insert_n", "insert into numbers values ($1::bigint)")
  private static let count = PreparedStatement("count_n", "select count(*) from numbers")
  private static let clock = ContinuousClock()

  private struct Refused: Error {}

  private func withSession(
    _ schema: String, _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresSession, TestLoop) async throws -> Void
  ) async throws {
    var configuration = try TestDatabase.shared.get().configuration(schema: schema)
    let loop = TestLoop()
    let first = PostgresSession(configuration: configuration, loop: loop)
    adjust(&configuration)
    let session = PostgresSession(configuration: configuration, loop: loop)
    defer {
      first.close()
      session.close()
      loop.stop()
    }
    try await first.transaction { transaction in
      try await transaction.query(PreparedStatement("make_schema", "create schema \(schema)"))
      try await transaction.query(
        PreparedStatement(
          "make_table", "create table numbers (n bigint constraint unique_n unique deferrable initially deferred)"))
    }
    try await body(session, loop)
  }

  private func total(_ session: PostgresSession) async throws -> Int64 {
    try await session.transaction(isReadOnly: true) { try await $0.query(Self.count)[0].int64(0) }
  }

  @Test func whatIsReturnedIsCommittedAndWhatThrowsIsNot() async throws {
    try await withSession("s_commit") { session, _ in
      let answer = try await session.transaction { transaction in
        try await transaction.query(Self.insert, [.int8(1)])
        return "done"
      }
      #expect(answer == "done")
      await #expect(throws: Refused.self) {
        try await session.transaction { transaction in
          try await transaction.query(Self.insert, [.int8(2)])
          throw Refused()
        }
      }
      #expect(try await total(session) == 1)
    }
  }

  @Test func statementsTravelTogether() async throws {
    try await withSession("s_together") { session, _ in
      let answers = try await session.transaction { transaction in
        try await transaction.queryAll([
          (Self.insert, [.int8(1)]), (Self.insert, [.int8(2)]), (Self.count, []),
        ])
      }
      #expect(answers.map(\.affectedCount) == [1, 1, 1])
      #expect(try answers[2][0].int64(0) == 2)
      let error = await #expect(throws: PostgresError.self) {
        try await session.transaction { transaction in
          try await transaction.queryAll([(Self.insert, [.int8(3)]), (.fails, [.int8(0)]), (Self.insert, [.int8(4)])])
        }
      }
      #expect(error?.sqlState == "22012" && error?.statement == "fails")
      #expect(try await total(session) == 2)
    }
  }

  @Test func theCommitTravelsWithTheLastStatements() async throws {
    try await withSession("s_commit_after") { session, _ in
      let answers = try await session.transaction { transaction in
        try await transaction.commit(after: [(Self.insert, [.int8(1)]), (Self.count, [])])
      }
      #expect(try answers.count == 2 && answers[1][0].int64(0) == 1)
      for broken in [PreparedStatement.fails, PreparedStatement("nonsense", "select from nowhere")] {
        let parameters: [PostgresValue] = broken.name == "fails" ? [.int8(0)] : []
        let error = await #expect(throws: PostgresError.self) {
          try await session.transaction { transaction in
            try await transaction.commit(after: [(Self.insert, [.int8(2)]), (broken, parameters)])
          }
        }
        #expect(error?.kind == .server && error?.isCertainlyNotCommitted == true)
      }
      #expect(try await total(session) == 1)
      let late = await #expect(throws: PostgresError.self) {
        try await session.transaction { transaction in
          try await transaction.commit(after: [(Self.insert, [.int8(3)])])
          try await transaction.query(Self.count)
        }
      }
      #expect(late?.kind == .invalidRequest)
      #expect(try await total(session) == 2)
    }
  }

  @Test func aCommitThatTheServerRefusesIsCertain() async throws {
    try await withSession("s_deferred") { session, _ in
      let error = await #expect(throws: PostgresError.self) {
        try await session.transaction { transaction in
          try await transaction.queryAll([(Self.insert, [.int8(1)]), (Self.insert, [.int8(1)])])
        }
      }
      #expect(error?.isUniqueViolation == true && error?.constraint == "unique_n")
      #expect(error?.isCertainlyNotCommitted == true)
      // An error that the body swallows must not look like a commit.
      let swallowed = await #expect(throws: PostgresError.self) {
        try await session.transaction { transaction in
          try await transaction.query(Self.insert, [.int8(2)])
          _ = try? await transaction.query(.fails, [.int8(0)])
        }
      }
      #expect(swallowed?.kind == .server && swallowed?.sqlState == "25P02")
      let left = try await total(session)
      #expect(left == 0)
    }
  }

  @Test func transactionsTakeTurns() async throws {
    try await withSession("s_turns") { session, loop in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask(executorPreference: number % 2 == 0 ? loop : nil) {
            do {
              try await session.transaction { transaction in
                let before = try await transaction.query(Self.count)[0].int64(0)
                try await transaction.query(Self.insert, [.int8(Int64(number))])
                let after = try await transaction.query(Self.count)[0].int64(0)
                if after != before + 1 { Issue.record("somebody else was in the transaction") }
                if number % 5 == 0 { throw Refused() }
              }
            } catch is Refused {}
          }
        }
        try await group.waitForAll()
      }
      #expect(try await total(session) == 160)
    }
  }

  @Test func aCancelledTaskRollsBack() async throws {
    try await withSession("s_cancel") { session, _ in
      let task = Task {
        try await session.transaction { transaction in
          try await transaction.query(Self.insert, [.int8(1)])
          withUnsafeCurrentTask { $0?.cancel() }
          try await transaction.query(Self.insert, [.int8(2)])
        }
      }
      await #expect(throws: CancellationError.self) { try await task.value }
      #expect(try await total(session) == 0)
      // Once the body is done, a cancellation comes too late to hide a commit.
      let committed = Task {
        try await session.transaction { transaction in
          try await transaction.query(Self.insert, [.int8(1)])
          withUnsafeCurrentTask { $0?.cancel() }
        }
      }
      try await committed.value
      #expect(try await total(session) == 1)
    }
  }

  @Test func anIdleTransactionIsEnded() async throws {
    try await withSession("s_idle", { $0.idleInTransactionTimeout = .milliseconds(100) }) { session, _ in
      let error = await #expect(throws: PostgresError.self) {
        try await session.transaction { transaction in
          try await transaction.query(Self.insert, [.int8(1)])
          try await Task.sleep(for: .milliseconds(400))
          try await transaction.query(Self.insert, [.int8(2)])
        }
      }
      #expect(error?.kind == .connectionLost)
      while true {
        do {
          #expect(try await total(session) == 0)
          break
        } catch let error as PostgresError where error.isAbsence {
          try await Task.sleep(for: .milliseconds(10))
        }
      }
    }
  }

  @Test func isolationIsWhatWasAskedFor() async throws {
    try await withSession("s_isolation") { session, _ in
      let level = PreparedStatement("level", "select current_setting('transaction_isolation')")
      for isolation in [TransactionIsolation.readCommitted, .repeatableRead, .serializable] {
        let found = try await session.transaction(isolation: isolation) { try await $0.query(level)[0].text(0) }
        #expect(found == isolation.rawValue)
      }
      let error = await #expect(throws: PostgresError.self) {
        try await session.transaction(isReadOnly: true) { try await $0.query(Self.insert, [.int8(1)]) }
      }
      #expect(error?.sqlState == "25006")
    }
  }

  @Test func absenceIsToldAtOnce() async throws {
    let loop = TestLoop()
    defer { loop.stop() }
    let nowhere = try PostgresConfiguration(conninfo: "host=/nowhere user=x dbname=x")
    let session = PostgresSession(configuration: nowhere, loop: loop)
    for _ in 0..<20 {
      let error = await #expect(throws: PostgresError.self) { try await session.transaction { _ in } }
      #expect(error?.kind == .unavailable)
    }
    session.close()
    let error = await #expect(throws: PostgresError.self) { try await session.transaction { _ in } }
    #expect(error?.kind == .unavailable)
  }
}
