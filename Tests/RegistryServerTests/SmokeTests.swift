import KeyRecords
import Testing

@testable import RegistryServer

@Suite struct SmokeTests {
  @Test func claimAndRead() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    var user = try TestUser(app: app, now: server.now)
    print("health", try await server.get("/healthz").text, try await server.get("/apps/\(app)").text)
    print("post", try await server.post("/apps/\(app)/records", Array("{}".utf8)).text)
    print("dry", try await server.post("/apps/\(app)/records?dry-run=true", user.claim).text)
    let response = try await server.post("/apps/\(app)/records", user.claim)
    #expect(response.status == 201, "\(response.text)")
    let key = try await server.get("/apps/\(app)/keys/\(user.id)")
    #expect(key.body == user.claim)
    #expect(key.fields["etag"] == "\"\(user.head.hash)\"")
    let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events")
    #expect(try await socket.indexes(2) == [0, 1])
    try await server.accept(try user.rotate(now: server.now), app: app)
    #expect(try await socket.indexes(1) == [2])
    print(try await server.get("/metrics").text)
    await server.stop()
  }
}
