import KeyRecords
import PeerstackFormat
import Postgres
import PostgresCluster
import PostgresTestSupport
import Registry
import Testing
import WebTransport

@testable import RegistryServer

/// `/readyz` is what decides whether a proxy or a supervisor sends requests here.
@Suite("Readiness") struct ReadinessTests {
  private func expectGreen(_ server: TestServer) async throws {
    try await eventually("green") { try await server.get("/readyz").status == 200 }
    let response = try await server.get("/readyz")
    #expect(response.status == 200 && response.json == ["status": "ok"], "\(response.text)")
    #expect(response.fields["content-type"] == "application/json")
    #expect(response.fields["cache-control"] == "no-store")
    #expect(try await server.request("HEAD", "/readyz").status == 200)
  }

  private func expectRed(_ server: TestServer) async throws {
    let response = try await server.get("/readyz")
    #expect(response.status == 503)
    try ContractCase.expectProblem(response, code: "unavailable", status: 503, "readyz")
    let head = try await server.request("HEAD", "/readyz")
    #expect(head.status == 503 && head.body.isEmpty)
    // The process is alive: it must not be killed for what it cannot help.
    #expect(try await server.get("/healthz").status == 200)
  }

  @Test("red while the database is away, and green again by itself, however often")
  func databaseAway() async throws {
    let database = try TestDatabase(supervised: false)
    let server = try await TestServer.start(on: try await database.freshSchema())
    let app = try await server.createApp("chat.example")
    try await expectGreen(server)
    for _ in 0..<2 {
      #expect(try database.cluster.stop() == .stopped)
      try await eventually("red") { try await server.get("/readyz").status == 503 }
      try await expectRed(server)

      try database.cluster.start(supervised: false)
      try await eventually("green") { try await server.get("/readyz").status == 200 }
      // What it says is so, for writes and for reads on each connection a client may get.
      try await server.accept(try TestUser(app: app, now: server.now).claim, app: app)
      for _ in 0..<8 { #expect(try await server.get("/apps/\(app)/export").status == 200) }
      try await expectGreen(server)
    }
    await server.stop()
  }

  @Test("red while the schema is one that this registrar does not know")
  func schemaMovedOn() async throws {
    let server = try await TestServer.start()
    try await expectGreen(server)
    try await run("insert into schema_migrations values ('V9999_later', decode(repeat('00', 32), 'hex'))", on: server)
    try await eventually("red") { try await server.get("/readyz").status == 503 }
    try await expectRed(server)
    try await run("delete from schema_migrations where name = 'V9999_later'", on: server)
    try await expectGreen(server)
    await server.stop()
  }

  private func run(_ text: String, on server: TestServer) async throws {
    let loop = try EventLoop.start(name: "schema")
    defer { loop.stop() }
    let session = PostgresSession(configuration: server.postgres, loop: loop)
    defer { session.close() }
    try await session.transaction { _ = try await $0.query(PreparedStatement("change_schema", text)) }
  }
}
