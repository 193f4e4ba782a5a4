import Glibc
import Postgres
import PostgresCluster
import PostgresTestSupport
import Synchronization
import Testing

@Suite struct PoolTests {
  private func withPool<T>(
    connections: Int = 2, _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresPool, TestLoop) async throws -> T
  ) async throws -> T {
    var configuration = try TestDatabase.shared.get().configuration()
    adjust(&configuration)
    let loop = TestLoop()
    let pool = PostgresPool(configuration: configuration, loop: loop, connections: connections)
    defer {
      pool.close()
      loop.stop()
    }
    return try await body(pool, loop)
  }

  @Test func furtherSettingsHoldOnEveryConnection() async throws {
    let setting = PreparedStatement("setting", "select current_setting('plan_cache_mode')")
    try await withPool(connections: 2, { $0.furtherSettings["plan_cache_mode"] = "force_generic_plan" }) { pool, _ in
      // Many at once go to both connections.
      let found = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<100 { group.addTask { try await pool.query(setting)[0].text(0) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(found == Array(repeating: "force_generic_plan", count: 100))
    }
  }

  @Test func whoAsksWithoutWaitingIsToldOnTheLoop() async throws {
    try await withPool { pool, loop in
      let (isOnLoop, rows) = await withCheckedContinuation { continuation in
        pool.ask(.one, []) { continuation.resume(returning: (loop.isCurrent, $0)) }
      }
      let count = try rows.get().count
      #expect(isOnLoop && count == 1)
      // What cannot be sent is told as well.
      let tooMany = [PostgresValue](repeating: .null, count: 65_536)
      let refused = await withCheckedContinuation { continuation in
        pool.ask(.one, tooMany) { continuation.resume(returning: $0) }
      }
      #expect(throws: PostgresError.self) { try refused.get() }
    }
  }

  @Test func valuesGoRoundTrip() async throws {
    let statement = PreparedStatement(
      "round_trip",
      """
      select $1::bool, $2::int, $3::bigint, $4::text, $5::bytea, $6::timestamptz, $7::bigint[], $8::text[], $9::bytea[],
        $10::text, $5::bytea is not null and length($5::bytea) = 0, $11::bigint[]::text, $12::bool[]::text,
        $13::int[]::text, $14::text[]::text, $15::bytea[]::text, $6::timestamptz at time zone 'utc' = '2026-11-24 12:00'
      """)
    let values: [PostgresValue] = [
      .bool(true), .int4(.min), .int8(.max), .text("Grüße \u{1F511}"), .bytea([]),
      .timestamp(unixMicroseconds: 1_795_521_600_000_000), .int8Array([1, -2, .max]), .textArray(["", "a,b", "ü"]),
      .byteaArray([[], [0, 255]]), .null, .nullableInt8Array([1, nil]), .boolArray([true, false]),
      .int4Array([-1, 2]), .nullableTextArray([nil, "x"]), .nullableByteaArray([[1], nil]),
    ]
    let rows = try await withPool { pool, _ in try await pool.query(statement, values) }
    #expect(rows.count == 1 && rows.columnCount == 17)
    let row = rows[0]
    #expect(try row.bool(0))
    #expect(try row.int64(1) == Int64(Int32.min))
    #expect(try row.int64(2) == .max)
    #expect(try row.text(3) == "Grüße \u{1F511}")
    #expect(try row.bytes(4) == [])
    #expect(try row.unixMicroseconds(5) == 1_795_521_600_000_000)
    #expect(try row.int64Array(6) == [1, -2, .max])
    #expect(try row.textArray(7) == ["", "a,b", "ü"])
    #expect(try row.byteaArray(8) == [[], [0, 255]])
    #expect(try row.isNull(9) && row.optionalText(9) == nil)
    #expect(try row.bool(10))
    #expect(try row.text(11) == "{1,NULL}")
    #expect(try row.text(12) == "{t,f}")
    #expect(try row.text(13) == "{-1,2}")
    #expect(try row.text(14) == "{NULL,x}")
    #expect(try row.text(15) == "{\"\\\\x01\",NULL}")
    #expect(try row.bool(16))
    #expect(try row.withBytes(3) { $0.count } == 12)
    #expect(throws: PostgresError.self) { try row.int64(3) }
    #expect(throws: PostgresError.self) { try row.text(9) }
    #expect(throws: PostgresError.self) { try row.text(17) }
    #expect(throws: PostgresError.self) { try row.int64Array(7) }
  }

  @Test func emptyArraysAndManyRows() async throws {
    try await withPool { pool, _ in
      let counts = PreparedStatement(
        "counts", "select cardinality($1::bigint[])::bigint, cardinality($2::text[])::bigint, $1::bigint[]")
      let row = try await pool.query(counts, [.int8Array([]), .textArray([])])[0]
      #expect(try row.int64(0) == 0 && row.int64(1) == 0 && row.int64Array(2) == [])
      let series = PreparedStatement("series", "select n, repeat('x', n::int) from generate_series(0::bigint, $1) n")
      let rows = try await pool.query(series, [.int8(999)])
      #expect(rows.count == 1000 && rows.affectedCount == 1000)
      for (index, row) in rows.enumerated() {
        #expect(try row.int64(0) == Int64(index))
        #expect(try row.text(1).utf8.count == index)
      }
      #expect(try await pool.query(series, [.int8(-1)]).isEmpty)
      let large = [UInt8](repeating: 7, count: 8 << 20)
      let back = try await pool.query(PreparedStatement("large", "select $1::bytea"), [.bytea(large)])
      #expect(try back[0].bytes(0) == large)
    }
  }

  @Test func textArraysArePutTogetherOfBytes() async throws {
    let statement = PreparedStatement("texts", "select $1::text[], cardinality($1::text[])::bigint")
    try await withPool { pool, _ in
      let texts = ["", "a,b", "ü", String(repeating: "x", count: 300)]
      var array = PostgresTextArray(capacity: 8)
      for text in texts { array.append { $0 += text.utf8 } }
      #expect(array.count == 4)
      // Another parameter behind it shows that it ends where it should.
      let both = PreparedStatement("texts_and_more", "select $1::text[], $2::bigint")
      let row = try await pool.query(both, [.encodedTextArray(array), .int8(7)])[0]
      #expect(try row.textArray(0) == texts && row.int64(1) == 7)
      let empty = try await pool.query(statement, [.encodedTextArray(PostgresTextArray())])[0]
      #expect(try empty.textArray(0) == [] && empty.int64(1) == 0)
    }
  }

  @Test func rowsOutliveTheirConnection() async throws {
    let series = PreparedStatement(
      "lasting",
      "select n::smallint, n::int, case when n % 2 = 0 then repeat('x', n) end from generate_series(0, 299) n")
    let rows = try await withPool { pool, _ in try await pool.query(series) }
    let sum = try await withThrowingTaskGroup(of: Int64.self) { group in
      // Several read at a time, and each drops them when it is done.
      for _ in 0..<4 {
        group.addTask {
          try rows.reduce(0) { sum, row in
            let number = try row.int64(0)
            #expect(try row.int64(1) == number && row.isNull(2) == (number % 2 == 1))
            #expect(try row.optionalText(2)?.utf8.count == (number % 2 == 0 ? Int(number) : nil))
            return sum + number
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == 4 * 299 * 150)
    #expect(rows.commandTag == "SELECT 300")
  }

  @Test func tenThousandAtOnce() async throws {
    try await withPool { pool, loop in
      let sum = try await withThrowingTaskGroup(of: Int64.self) { group in
        for number in 0..<10_000 {
          group.addTask(executorPreference: number % 2 == 0 ? loop : nil) {
            try await pool.query(.echo, [.int8(Int64(number))])[0].int64(0)
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(sum == 49_995_000)
    }
  }

  @Test func theInnocentAreAskedAgain() async throws {
    try await withPool(connections: 1) { pool, loop in
      let outcomes = await withTaskGroup(of: (Int, Result<Int64, any Error>).self) { group in
        for number in 0..<500 {
          group.addTask(executorPreference: loop) {
            let statement: PreparedStatement = number % 7 == 3 ? .fails : .echo
            let value: Int64 = number % 7 == 3 ? 0 : Int64(number)
            do {
              return (number, .success(try await pool.query(statement, [.int8(value)])[0].int64(0)))
            } catch { return (number, .failure(error)) }
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count == 500)
      for (number, outcome) in outcomes {
        if number % 7 == 3 {
          let error = #expect(throws: PostgresError.self) { try outcome.get() }
          #expect(error?.kind == .server && error?.sqlState == "22012" && error?.statement == "fails")
        } else {
          let answer = try outcome.get()
          #expect(answer == Int64(number))
        }
      }
    }
  }

  @Test func aStatementThatCannotBePreparedFailsAlone() async throws {
    try await withPool(connections: 1) { pool, loop in
      let missing = PreparedStatement("missing", "select n from a_table_that_comes_later")
      for _ in 0..<3 {
        async let good = pool.query(.one)
        let error = await #expect(throws: PostgresError.self) { try await pool.query(missing) }
        let answer = try await good[0].int64(0)
        #expect(answer == 1)
        #expect(error?.sqlState == "42P01")
      }
      let create = PreparedStatement("create_it", "create table a_table_that_comes_later as select 5::bigint as n")
      _ = try await pool.query(create)
      #expect(try await pool.query(missing)[0].int64(0) == 5)
    }
  }

  @Test func errorsKeepValuesToThemselves() async throws {
    try await withPool { pool, _ in
      let cast = PreparedStatement("cast", "select $1::text::bigint")
      let error = await #expect(throws: PostgresError.self) { try await pool.query(cast, [.text("secret")]) }
      #expect(error?.sqlState == "22P02")
      #expect(error?.message.contains("secret") == true)
      #expect(error?.description.contains("secret") == false)
    }
    let configuration = try PostgresConfiguration(conninfo: "postgresql://me:secret@/x")
    #expect(!"\(configuration)".contains("secret") && !String(reflecting: configuration).contains("secret"))
    let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(conninfo: "postgres:/me:secret@x y") }
    #expect(error?.debugDescription.contains("secret") == false)
  }

  @Test func aKilledBackendIsReplacedAndNobodyWaitsForEver() async throws {
    try await withPool { pool, loop in
      let backend = try await pool.query(.backend)[0].int64(0)
      try await Task.sleep(for: .seconds(1.1))
      let answers = try await withThrowingTaskGroup(of: Int64.self) { group in
        for number in 0..<1000 {
          group.addTask(executorPreference: loop) {
            // Also an answer that was cut off counts as none, not as one without rows.
            let rows = try await pool.query(.sleep, [.int8(Int64(number)), .int8(1)])
            return try rows.first?.int64(0) ?? 0
          }
        }
        group.addTask {
          kill(pid_t(backend), SIGTERM)
          return 0
        }
        return try await group.reduce(0, +)
      }
      // Reading is asked again on the connection that lives.
      #expect(answers == 499_500)
    }
  }

  @Test func aCancelledTaskGetsNoAnswer() async throws {
    try await withPool(connections: 1) { pool, _ in
      let task = Task { try await pool.query(.sleep, [.int8(1), .int8(200)]) }
      try await Task.sleep(for: .milliseconds(50))
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      #expect(try await pool.query(.one)[0].int64(0) == 1)
    }
  }

  @Test func absenceIsToldAtOnceAndTheQueueIsBounded() async throws {
    let loop = TestLoop()
    defer { loop.stop() }
    let nowhere = try PostgresConfiguration(conninfo: "host=/nowhere user=x dbname=x")
    let pool = PostgresPool(configuration: nowhere, loop: loop)
    for _ in 0..<100 {
      let error = await #expect(throws: PostgresError.self) { try await pool.query(.one) }
      #expect(error?.kind == .unavailable)
    }
    #expect(!pool.isAvailable)
    pool.close()
    let error = await #expect(throws: PostgresError.self) { try await pool.query(.one) }
    #expect(error?.kind == .unavailable)

    try await withPool(connections: 1, { $0.maximumPending = 10 }) { pool, loop in
      let refused = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<50 {
          group.addTask(executorPreference: loop) {
            do {
              _ = try await pool.query(.sleep, [.int8(1), .int8(20)])
              return false
            } catch { return (error as? PostgresError)?.kind == .unavailable }
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(refused == 40)
    }
  }

  @Test func aStatementHasATimeLimit() async throws {
    try await withPool({ $0.statementTimeout = .milliseconds(100) }) { pool, _ in
      let error = await #expect(throws: PostgresError.self) { try await pool.query(.sleep, [.int8(1), .int8(60_000)]) }
      #expect(error?.sqlState == "57014")
    }
  }

  @Test func aServerThatStopsAnsweringIsGivenUp() async throws {
    let adjust: (inout PostgresConfiguration) -> Void = {
      $0.statementTimeout = .milliseconds(200)
      $0.answerGrace = .milliseconds(200)
    }
    try await withPool(connections: 1, adjust) { pool, _ in
      let backend = pid_t(try await pool.query(.backend)[0].int64(0))
      // Idle, so that it is stopped with no lock of the server's in its hands.
      try await Task.sleep(for: .milliseconds(100))
      kill(backend, SIGSTOP)
      defer { kill(backend, SIGCONT) }
      // Asked again on a new connection.
      #expect(try await pool.query(.one)[0].int64(0) == 1)
    }
  }

  @Test func theRoleIsTakenAndKept() async throws {
    try await withPool(connections: 1) { pool, _ in
      let create = PreparedStatement("create_role", "create role reader_of_nothing")
      _ = try await pool.query(create)
      _ = try await pool.query(PreparedStatement("create_t", "create table not_for_readers as select 1 as n"))
    }
    try await withPool(connections: 1, { $0.role = "reader_of_nothing" }) { pool, loop in
      let forbidden = PreparedStatement("forbidden", "select n from not_for_readers")
      let user = PreparedStatement("who", "select current_user::text")
      // The first queries of a connection travel right behind the role; their failure must not undo it.
      for _ in 0..<3 {
        async let failing = pool.query(.fails, [.int8(0)])
        let error = await #expect(throws: PostgresError.self) { try await pool.query(forbidden) }
        #expect(error?.kind == .server && error?.sqlState == "42501")
        _ = try? await failing
        let name = try await pool.query(user)[0].text(0)
        #expect(name == "reader_of_nothing")
      }
    }
  }
}
