import KeyRecords
import Postgres
import PostgresCluster
import PostgresTestSupport
import Registry
import RegistryAPI
import Testing
import WebTransport

@testable import RegistryServer

@Suite("Keys that memory has not") struct ReadTogetherTests {
  /// Asks for keys, each on a connection of its own, all at about the same time.
  private static func keys(of users: [UserID], _ app: AppID, on server: TestServer) async throws -> [TestResponse] {
    try await withThrowingTaskGroup(of: (Int, TestResponse).self) { group in
      for (number, user) in users.enumerated() {
        group.addTask { (number, try await server.get("/apps/\(app)/keys/\(user)")) }
      }
      var responses = [TestResponse](repeating: TestResponse(), count: users.count)
      for try await (number, response) in group { responses[number] = response }
      return responses
    }
  }

  @Test("everybody who asks at once gets their own answer, on all loops", arguments: [0, 64 << 20])
  func manyAtOnce(memoryBytes: Int) async throws {
    let writer = try await TestServer.start()
    let app = try await writer.createApp("chat.example")
    let people = try (0..<20).map { _ in try TestUser(app: app, now: writer.now) }
    for person in people { try await writer.accept(person.claim, app: app) }
    let unknown = try (0..<5).map { _ in try TestUser.randomID(writer.now) }
    // It has nobody in memory yet.
    let server = try await TestServer.start(on: writer.postgres, clock: writer.clock) {
      $0.registry.memoryBytes = memoryBytes
      $0.loops = 2
    }
    for _ in 0..<3 {
      // Everybody twice: who is being read already is not asked for again.
      let ids = people.map(\.id) + unknown + people.map(\.id)
      let responses = try await Self.keys(of: ids, app, on: server)
      for (response, person) in zip(responses, people) {
        #expect(response.status == 200 && response.body == person.claim)
      }
      #expect(responses[20..<25].allSatisfy { $0.status == 404 && $0.code == "unknown-user" })
      #expect(responses[25...].map(\.body) == people.map(\.claim))
    }
    await server.stop()
    await writer.stop()
  }

  @Test("one record that is damaged takes nobody else's answer away")
  func damage() async throws {
    let writer = try await TestServer.start()
    let app = try await writer.createApp("chat.example")
    let people = try (0..<12).map { _ in try TestUser(app: app, now: writer.now) }
    for person in people { try await writer.accept(person.claim, app: app) }
    let loop = try EventLoop.start(name: "damage")
    let session = PostgresSession(configuration: writer.postgres, loop: loop)
    try await session.transaction { transaction in
      let statement = PreparedStatement("damage", "update entries set record = '\\x00' where subject = $1")
      _ = try await transaction.query(statement, [.text(people[3].id.text)])
    }
    session.close()
    loop.stop()
    let server = try await TestServer.start(on: writer.postgres, clock: writer.clock) { $0.registry.memoryBytes = 0 }
    for _ in 0..<5 {
      let responses = try await Self.keys(of: people.map(\.id), app, on: server)
      for (number, (response, person)) in zip(responses, people).enumerated() {
        if number == 3 {
          try ContractCase.expectProblem(response, code: "unavailable", status: 503, "damaged")
        } else {
          #expect(response.status == 200 && response.body == person.claim)
        }
      }
    }
    await server.stop()
    await writer.stop()
  }

  @Test("while the database is away they are 503, and counted; then they are read again")
  func outage() async throws {
    let database = try TestDatabase(supervised: false)
    let server = try await TestServer.start(on: try await database.freshSchema()) { $0.registry.memoryBytes = 0 }
    let app = try await server.createApp("chat.example")
    let people = try (0..<4).map { _ in try TestUser(app: app, now: server.now) }
    for person in people { try await server.accept(person.claim, app: app) }
    #expect(try await Self.keys(of: people.map(\.id), app, on: server).allSatisfy { $0.status == 200 })
    _ = try database.cluster.stop()
    for response in try await Self.keys(of: people.map(\.id), app, on: server) {
      try ContractCase.expectProblem(response, code: "unavailable", status: 503, "away")
    }
    let lines = try await server.get("/metrics").text.split(separator: "\n")
    #expect(
      lines.contains("registrar_http_requests_total{route=\"/apps/{app}/keys/{user}\",status=\"503\"} 4"))
    #expect(lines.contains("registrar_refusals_total{code=\"unavailable\"} 4"))
    _ = try database.cluster.start(supervised: false)
    try await eventually("read again") {
      let responses = try await Self.keys(of: people.map(\.id), app, on: server)
      #expect(responses.allSatisfy { $0.status == 200 || $0.status == 503 })
      return responses.map(\.body) == people.map(\.claim)
    }
    await server.stop()
  }

  @Test("a stop while the database does not answer ends, and what waits is told or cut")
  func stop() async throws {
    let server = try await TestServer.start { $0.registry.memoryBytes = 0 }
    let app = try await server.createApp("chat.example")
    let user = try TestUser(app: app, now: server.now)
    try await server.accept(user.claim, app: app)
    let loop = try EventLoop.start(name: "lock")
    let session = PostgresSession(configuration: server.postgres, loop: loop)
    try await session.transaction { transaction in
      // Nobody can read until this transaction ends.
      _ = try await transaction.query(
        PreparedStatement("lock_entries", "lock table entries in access exclusive mode"))
      try await TestConnection.with(port: server.port) { connection in
        try connection.send("GET", "/apps/\(app)/keys/\(user.id)")
      }
      let waiting = try await TestConnection.with(port: server.port) { connection in
        try connection.send("GET", "/apps/\(app)/keys/\(user.id)")
        return connection
      }
      try await eventually("it is being read") {
        try await !transaction.query(
          PreparedStatement(
            "waiting_reads", "select 1 from pg_locks where not granted and relation = 'entries'::regclass")
        ).isEmpty
      }
      await server.server.stop(deadline: .milliseconds(50))
      let response = try? await waiting.run { try $0.response() }
      #expect(response == nil || response?.status == 503)
    }
    session.close()
    loop.stop()
  }
}
