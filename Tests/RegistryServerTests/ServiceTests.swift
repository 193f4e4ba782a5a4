import Cryptography
import KeyRecords
import Logging
import PeerstackFormat
import PostgresCluster
import PostgresTestSupport
import Registry
import Synchronization
import Testing
import WebTransport

@testable import RegistryServer

@Suite("A server and its surroundings") struct ServiceTests {
  @Test("pipelined requests are answered in order, slow ones among them")
  func pipelining() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    let users = try (0..<20).map { _ in try TestUser(app: app, now: server.now) }
    var bytes: [UInt8] = []
    for user in users {
      let fields = ["Content-Type: application/json"]
      bytes += TestConnection.request("POST", "/apps/\(app)/records", fields, user.claim)
      bytes += TestConnection.request("GET", "/apps/\(app)/keys/\(user.id)")
      bytes += TestConnection.request("GET", "/nothing")
    }
    let sent = bytes
    let responses = try await TestConnection.with(port: server.port) { connection in
      try connection.send(sent)
      return try (0..<60).map { _ in try connection.response() }
    }
    for (index, user) in users.enumerated() {
      #expect(responses[index * 3].status == 201)
      #expect(responses[index * 3]["index"] == .integer(Int64(index + 1)))
      // No stale read after a write: the claim is there for the next request.
      #expect(responses[index * 3 + 1].body == user.claim)
      #expect(responses[index * 3 + 2].status == 404)
    }
    await server.stop()
  }

  @Test("while the database is away: 503, red, and what memory knows; then everything goes on by itself")
  func outage() async throws {
    let database = try TestDatabase(supervised: false)
    let server = try await TestServer.start(on: try await database.freshSchema())
    let app = try await server.createApp("chat.example")
    let user = try TestUser(app: app, now: server.now)
    try await server.accept(user.claim, app: app)
    let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events")
    #expect(try await socket.indexes(2) == [0, 1])
    #expect(try await server.get("/apps/\(app)/keys/\(user.id)").status == 200)

    _ = try database.cluster.stop()
    try await eventually("not ready") { try await server.get("/readyz").status == 503 }
    let claim = try TestUser(app: app, now: server.now).claim
    let refused = try await server.post("/apps/\(app)/records", claim)
    #expect(refused.status == 503)
    try ContractCase.expectProblem(refused, code: "unavailable", status: 503, "claim")
    try ContractCase.expectProblem(
      try await server.get("/apps/\(app)/export"), code: "unavailable", status: 503, "export")
    let known = try await server.get("/apps/\(app)/keys/\(user.id)")
    #expect(known.body == user.claim, "\(known.text)")
    #expect(try await server.get("/healthz").status == 200)
    #expect(try await server.get("/metrics").text.contains("registrar_database_up 0\n"))

    _ = try database.cluster.start(supervised: false)
    try await eventually("ready again") { try await server.get("/readyz").status == 200 }
    try await eventually("claimed") {
      let status = try await server.post("/apps/\(app)/records", claim).status
      #expect([200, 201, 503].contains(status))
      return status < 300
    }
    #expect(try await socket.indexes(1) == [2])
    #expect(try await server.get("/apps/\(app)/export").status == 200)
    await server.stop()
  }

  @Test("two servers on one database tell the same story")
  func twoServers() async throws {
    let first = try await TestServer.start()
    let app = try await first.createApp("chat.example")
    let second = try await TestServer.start(on: first.postgres)
    #expect(
      first.server.registry.signingKey.verifyingKey == second.server.registry.signingKey.verifyingKey)
    var user = try TestUser(app: app, now: first.now)
    let socket = try await TestWebSocket.open(port: second.port, "/apps/\(app)/events?after=0")
    try await first.accept(user.claim, app: app)
    #expect(try await socket.indexes(1) == [1])
    try await eventually("the second knows the claim") {
      try await second.get("/apps/\(app)/keys/\(user.id)").status == 200
    }
    let stale = user.amendment(now: second.now)
    try await first.accept(try user.rotate(now: first.now), app: app)
    // Whatever the second has heard, it judges by what is there, and answers no older than that.
    let refused = try await second.post("/apps/\(app)/records", stale)
    #expect(refused.code == "stale-head" && refused["head"]?.string == user.head.hash.hex)
    #expect(try await socket.indexes(1) == [2])
    #expect(try await second.get("/apps/\(app)/keys/\(user.id)").body == user.head.canonical)
    try await second.accept(try user.amend(now: second.now), app: app)
    #expect(try await second.get("/apps/\(app)/keys/\(user.id)").body == user.head.canonical)
    try await eventually("both export the same") {
      let exports = [try await first.get("/apps/\(app)/export").body, try await second.get("/apps/\(app)/export").body]
      return exports[0] == exports[1] && EntryLine.lines(of: exports[0]).count == 4
    }
    await first.stop()
    await second.stop()
  }

  @Test("a cursor that only the other server knows yet is waited for")
  func cursorOfTheOther() async throws {
    let first = try await TestServer.start()
    let app = try await first.createApp("chat.example")
    let second = try await TestServer.start(on: first.postgres)
    for number in 1...5 {
      let claim = try await first.accept(try TestUser(app: app, now: first.now).claim, app: app)
      let index = try #require(claim["index"]?.integer)
      #expect(index == Int64(number * 2 - 1))
      let socket = try await TestWebSocket.open(port: second.port, "/apps/\(app)/events?after=\(index)")
      try await first.accept(try TestUser(app: app, now: first.now).claim, app: app)
      #expect(try await socket.indexes(1) == [index + 1])
    }
    await first.stop()
    await second.stop()
  }

  @Test("claims per address: accepted ones count, by the client behind named proxies")
  func claimsPerAddress() async throws {
    let server = try await TestServer.start { configuration in
      configuration.claimsPerAddress = 2
      configuration.trustedProxies = ["127.0.0.0/8"].compactMap { AddressRange($0) }
    }
    let app = try await server.createApp("chat.example")
    let path = "/apps/\(app)/records"
    let here = ["X-Forwarded-For: 6.6.6.6, 192.0.2.1"]
    var user = try TestUser(app: app, now: server.now)
    #expect(try await server.post(path, user.claim, here).status == 201)
    // None of these counts.
    #expect(try await server.post(path, user.claim, here).status == 200)
    #expect(try await server.post(path, Array("{}".utf8), here).status == 422)
    let taken = try TestUser(app: app, now: server.now, id: user.id).claim
    #expect(try await server.post(path, taken, here).status == 409)
    #expect(
      try await server.post(path + "?dry-run=true", try TestUser(app: app, now: server.now).claim, here).status == 200)
    #expect(try await server.post(path, try TestUser(app: app, now: server.now).claim, here).status == 201)
    let refused = try await server.post(path, try TestUser(app: app, now: server.now).claim, here)
    #expect(refused.status == 429)
    try ContractCase.expectProblem(refused, code: "rate-limited", status: 429, "third claim")
    #expect(
      try await server.post(path + "?dry-run=true", try TestUser(app: app, now: server.now).claim, here).status == 429)
    // What is no new claim goes on, and so do others.
    #expect(try await server.post(path, user.claim, here).status == 200)
    #expect(try await server.post(path, try user.amend(now: server.now), here).status == 201)
    let there = ["X-Forwarded-For: 192.0.2.2"]
    #expect(try await server.post(path, try TestUser(app: app, now: server.now).claim, there).status == 201)
    await server.stop()
  }

  @Test("a connection too many is told so")
  func tooManyConnections() async throws {
    let server = try await TestServer.start { $0.web.connectionsPerAddress = 1 }
    let first = try await TestConnection.with(port: server.port) { connection in
      try connection.send("GET", "/healthz")
      _ = try connection.response()
      return connection
    }
    let refused = try await TestConnection.with(port: server.port) { try $0.response() }
    try ContractCase.expectProblem(refused, code: "unavailable", status: 503, "second connection")
    #expect(refused.fields["connection"] == "close")
    #expect(refused.fields["access-control-allow-origin"] == "*")
    let next = try await first.run { connection in
      try connection.send("GET", "/healthz")
      return try connection.response()
    }
    #expect(next.status == 200)
    await server.stop()
  }

  @Test("logs hold no signature, no authorization and no query")
  func logs() async throws {
    let lines = LogLines()
    let server = try await TestServer.start { configuration in
      configuration.logger = Logger(label: "test") { _ in CapturingLog(lines: lines) }
      configuration.logger.logLevel = .trace
      configuration.registry.logger = configuration.logger
    }
    let app = try await server.createApp("members.example") { $0.recordRead = .members }
    let user = try TestUser(app: app, now: server.now)
    try await server.accept(user.claim, app: app)
    let target = "/apps/\(app)/keys/\(user.id)?keyId=0"
    let token = user.authorization("GET", target, now: server.now)
    #expect(try await server.get(target, ["Authorization: Peerstack \(token)"]).status == 200)
    #expect(try await server.get(target + "&authorization=secret").status == 403)
    await server.stop()
    let text = lines.all.joined(separator: "\n")
    #expect(text.contains("status=200") && text.contains("status=403") && text.contains("action=claim"))
    let signature = try #require(JSONValue.parseStrict(user.claim).object?["signature"]?.string)
    for secret in [token, "secret", signature, "keyId", "Peerstack"] { #expect(!text.contains(secret), "\(secret)") }
  }
}

/// What was logged.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func append(_ line: String) { lines.withLock { $0.append(line) } }
}

struct CapturingLog: LogHandler {
  let lines: LogLines
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    lines.append("\(event.message) " + all.map { "\($0)=\($1)" }.sorted().joined(separator: " "))
  }
}
