import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI
import Testing

@testable import RegistryServer

@Suite("Answers from memory") struct RememberedTests {
  /// With the memory off they are read, together with others.
  @Test("they are those of the general way, whatever has happened, and are counted", arguments: [0, 64 << 20])
  func sameAnswers(memoryBytes: Int) async throws {
    let server = try await TestServer.start { $0.registry.memoryBytes = memoryBytes }
    let app = try await server.createApp("chat.example")
    var user = try TestUser(app: app, now: server.now)
    let still = try TestUser(app: app, now: server.now)
    let unclaimed = try TestUser.randomID(server.now)
    for claim in [user.claim, still.claim] { try await server.accept(claim, app: app) }
    try await Self.compare(server, app, [user.id, still.id, unclaimed])
    #expect(try await server.get("/apps/\(app)/keys/\(user.id)").body == user.claim)
    let rotation = try user.rotate(now: server.now + 1)
    server.clock.advance(10)
    try await server.accept(rotation, app: app)
    #expect(try await server.get("/apps/\(app)/keys/\(user.id)").body == rotation)
    try await Self.compare(server, app, [user.id, still.id, unclaimed])
    server.clock.advance(10)
    try await server.accept(try user.retire(now: server.now), app: app)
    #expect(try await server.get("/apps/\(app)/keys/\(user.id)").status == 410)
    try await Self.compare(server, app, [user.id, still.id, unclaimed])
    await server.stop()
  }

  /// A query that means nothing, and an empty `have`, are not at hand: they are answered in the general way.
  private static func compare(_ server: TestServer, _ app: AppID, _ users: [UserID]) async throws {
    for user in users {
      let path = "/apps/\(app)/keys/\(user)"
      let general = try await server.get(path + "?x=1")
      for method in ["GET", "HEAD"] {
        let response = try await server.request(method, path)
        #expect(response.status == general.status && response.body == (method == "HEAD" ? [] : general.body))
        #expect(withoutDate(response) == withoutDate(general))
      }
      guard let tag = general.fields["etag"] else { continue }
      let same = try await server.get(path + "/", ["If-None-Match: \"x\", W/\(tag)"])
      let generalSame = try await server.get(path + "?x=1", ["If-None-Match: \(tag)"])
      #expect(same.status == 304 && same.body.isEmpty && withoutDate(same) == withoutDate(generalSame))
      #expect(try await server.get(path, ["If-None-Match: \"x\""]).body == general.body)
    }
    let ids = users.map { "\"\($0)\"" }.joined(separator: ",")
    let general = try await server.post("/apps/\(app)/resolve", Array("{\"ids\":[\(ids)],\"have\":{}}".utf8))
    let plain = try await server.post("/apps/\(app)/resolve", Array("{\"ids\":[\(ids)]}".utf8))
    #expect(plain.status == 200 && plain["users"] == general["users"] && plain["unknown"] == general["unknown"])
    #expect(plain["asOf"]?.object?["index"] == general["asOf"]?.object?["index"])
    #expect(plain["users"]?.object?.names.count == 2 && plain["unknown"]?.array?.count == 1)
    let lengths = plain.fields.removing("date")["content-length"]
    #expect(lengths == String(plain.body.count))
  }

  private static func withoutDate(_ response: TestResponse) -> [String: String] { response.fields.removing("date") }

  @Test("answers from memory are in the metrics, and members' apps are not answered so", arguments: [0, 64 << 20])
  func metricsAndMembers(memoryBytes: Int) async throws {
    let server = try await TestServer.start { $0.registry.memoryBytes = memoryBytes }
    let app = try await server.createApp("chat.example")
    let closed = try await server.createApp("closed.example") { $0.recordRead = .members }
    for app in [app, closed] {
      let user = try TestUser(app: app, now: server.now)
      try await server.accept(user.claim, app: app)
      let path = "/apps/\(app)/keys/\(user.id)"
      let first = try await server.get(path)
      #expect(first.status == (app == closed ? 403 : 200))
      if let tag = first.fields["etag"] { #expect(try await server.get(path, ["If-None-Match: \(tag)"]).status == 304) }
      let body = Array("{\"ids\":[\"\(user.id)\"]}".utf8)
      #expect(try await server.post("/apps/\(app)/resolve", body).status == (app == closed ? 403 : 200))
    }
    let text = try await server.get("/metrics").text
    // Read twice: nothing is counted twice.
    let again = try await server.get("/metrics").text
    for text in [text, again] {
      let lines = text.split(separator: "\n")
      let name = "registrar_http_requests_total"
      #expect(lines.contains("\(name){route=\"/apps/{app}/keys/{user}\",status=\"200\"} 1"))
      #expect(lines.contains("\(name){route=\"/apps/{app}/keys/{user}\",status=\"304\"} 1"))
      #expect(lines.contains("\(name){route=\"/apps/{app}/resolve\",status=\"200\"} 1"))
      // Two answers of this kind, and the refusal.
      #expect(lines.contains("registrar_http_request_duration_seconds_count{route=\"/apps/{app}/keys/{user}\"} 3"))
    }
    await server.stop()
  }
}

extension [String: String] {
  fileprivate func removing(_ name: String) -> [String: String] { filter { $0.key != name } }
}
