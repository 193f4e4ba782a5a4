import Postgres
import PostgresTestSupport
import Testing

@testable import Registry

/// Plans are made once for a connection, often when a table is still empty: they must suit it when it has grown.
@Suite struct PlanTests {
  @Test(arguments: [
    (Statements.readUsers, "entries_by_subject"), (Statements.histories, "entries_by_subject"),
    (Statements.usedKeys, "used_keys_pkey"), (Statements.usedNonces, "used_nonces_pkey"),
    (Statements.entriesAfter, "entries_pkey"), (Statements.export, "entries_pkey"), (Statements.follow, "entries_pkey"),
  ])
  func whatIsAskedOfASmallTableGoesByTheIndex(_ statement: PreparedStatement, _ index: String) async throws {
    try await withFixture("plans_\(statement.name)") { fixture in
      let app = try await fixture.app(in: fixture.registry())
      _ = try await app.submit(Person(app: fixture.app, now: fixture.clock.now).body)
      // Two rows, of which Postgres now knows that they are all.
      try await fixture.sql("analyze entries, used_keys, used_nonces")
      let loop = TestLoop()
      let pool = PostgresPool(
        configuration: RegistryCore.planningOnce(fixture.postgres), loop: loop, connections: 1)
      defer {
        pool.close()
        loop.stop()
      }
      // Of all the statement's parameters, the plan that stays knows nothing: it is made without them.
      _ = try await pool.query(PreparedStatement("prepare", "prepare planned as \(statement.sql)"))
      let arguments = (0..<Self.parameters(statement)).map { _ in "null" }.joined(separator: ", ")
      let rows = try await pool.query(
        PreparedStatement("explain", "explain (costs off) execute planned(\(arguments))"))
      let plan = try rows.map { try $0.text(0) }.joined(separator: "\n")
      #expect(plan.contains(" \(index) "), "\(plan)")
      let place = try #require(plan.firstRange(of: " \(index) "))
      let condition = plan[place.upperBound...].split(separator: "\n").dropFirst().first ?? ""
      #expect(condition.contains("Index Cond") && condition.contains(" AND "), "not only by the app: \(plan)")
      #expect(!plan.contains("Seq Scan on entries") && !plan.contains("Seq Scan on used"), "\(plan)")
    }
  }

  private static func parameters(_ statement: PreparedStatement) -> Int {
    (1...9).last { statement.sql.contains("$\($0)") } ?? 0
  }
}
