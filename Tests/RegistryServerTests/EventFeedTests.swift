import KeyRecords
import PeerstackFormat
import Registry
import Testing

@testable import RegistryServer

@Suite("Event feed over sockets") struct EventFeedTests {
  @Test("whoever joins in the middle of a stream gets every entry once and in order")
  func joinsAnytime() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    let total = 201
    try await withThrowingTaskGroup(of: [Int64].self) { group in
      for part in 0..<4 {
        group.addTask {
          for _ in 0..<(total - 1) / 4 {
            try await server.accept(try TestUser(app: app, now: server.now).claim, app: app)
          }
          return part < 0 ? [] : Array(0..<Int64(total))
        }
      }
      for join in 0..<8 {
        group.addTask {
          // When so many entries are there, whatever the pace.
          let registry = try #require(try await server.server.registry.app(app))
          try await eventually("entry \(join * 25)") { try registry.snapshot().index >= Int64(join * 25) }
          let after = Int64(join) - 1
          let query = join == 0 ? "" : "?after=\(after)"
          let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events\(query)")
          let indexes = try await socket.indexes(total - join)
          return Array(0..<Int64(join)) + indexes
        }
      }
      for try await indexes in group { #expect(indexes == Array(0..<Int64(total))) }
    }
    await server.stop()
  }

  @Test("a frame is the entry as the export has it, and the handshake allows any origin")
  func frames() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events?after=0")
    #expect(socket.head.lowercased().contains("access-control-allow-origin: *\r\n"))
    #expect(!socket.head.lowercased().contains("sec-websocket-protocol"))
    try await server.accept(try TestUser(app: app, now: server.now).claim, app: app)
    let line = try await server.get("/apps/\(app)/export?after=0").text
    #expect(try await socket.receive() == .text(String(line.dropLast())))
    await server.stop()
  }

  @Test("subscribing narrows the feed, and a later subscription replaces it")
  func subscriptions() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    var users = try (0..<3).map { _ in try TestUser(app: app, now: server.now) }
    for user in users { try await server.accept(user.claim, app: app) }
    let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events?after=3")
    let witness = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events?after=3")
    try await socket.send("{\"subscribe\":[\"\(users[0].id)\"]}")
    // The next entry is only sent once the server has read the subscription: a second one that is refused tells.
    try await amendAll(&users, server, app, witness, indexes: 4...6)
    #expect(try await socket.indexes(1) == [4])
    try await socket.send("{\"subscribe\":[\"\(users[1].id)\",\"\(users[2].id)\"]}")
    try await settle(server, app)
    try await amendAll(&users, server, app, witness, indexes: 7...9)
    #expect(try await socket.indexes(2) == [8, 9])
    try await socket.send("{\"subscribe\":[]}")
    try await settle(server, app)
    try await amendAll(&users, server, app, witness, indexes: 10...12)
    try await socket.send("{\"subscribe\":[\"\(users[0].id)\"]}")
    try await settle(server, app)
    try await amendAll(&users, server, app, witness, indexes: 13...15)
    #expect(try await socket.indexes(1) == [13])
    await server.stop()
  }

  private func amendAll(
    _ users: inout [TestUser], _ server: TestServer, _ app: AppID, _ witness: TestWebSocket,
    indexes: ClosedRange<Int64>
  ) async throws {
    try await settle(server, app)
    for index in users.indices { try await server.accept(try users[index].amend(now: server.now), app: app) }
    #expect(try await witness.indexes(3) == Array(indexes))
  }

  /// Messages sent before are read before this returns: the loop of the WebSockets reads sockets in turn, so after two
  /// further handshakes and messages every earlier one has been seen.
  private func settle(_ server: TestServer, _ app: AppID) async throws {
    for _ in 0..<2 {
      let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events")
      try await socket.send("no subscription")
      while case .text = try await socket.receive() {}
    }
  }

  @Test("a subscription holds for stored entries too")
  func subscribedHistory() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    var user = try TestUser(app: app, now: server.now)
    let other = try TestUser(app: app, now: server.now)
    for claim in [user.claim, other.claim] { try await server.accept(claim, app: app) }
    try await server.accept(try user.amend(now: server.now), app: app)
    let line = try await server.get("/apps/\(app)/export?after=1&limit=1").body
    let entry = try #require(EntryLine.lines(of: line).first)
    #expect(entry.index == 2 && entry.subject == other.id)
    let policy = try #require(EntryLine.lines(of: try await server.get("/apps/\(app)/export?limit=1").body).first)
    #expect(policy.index == 0 && policy.subject == nil)
    await server.stop()
  }

  @Test("a cursor beyond the latest entry is told")
  func futureCursor() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events?after=1")
    #expect(try await socket.receive() == .close(code: 4000, reason: "future-cursor"))
    await server.stop()
  }

  @Test(
    "a message that is none of this",
    arguments: ["hello", "{\"subscribe\":\"x\"}", "{\"subscribe\":[\"nobody\"]}", "{\"unsubscribe\":[]}", ""])
  func badMessages(text: String) async throws {
    let world = try await ContractWorld.shared.value
    let socket = try await TestWebSocket.open(port: world.server.port, "/apps/\(world.slow)/events?after=2")
    try await socket.send(text)
    guard case .close(code: 1008, _) = try await socket.receive() else { throw TestFailure("not closed with 1008") }
  }

  @Test("binary messages and long ones")
  func otherMessages() async throws {
    let world = try await ContractWorld.shared.value
    let binary = try await TestWebSocket.open(port: world.server.port, "/apps/\(world.slow)/events?after=2")
    try await binary.send(opcode: 2, Array("{\"subscribe\":[]}".utf8))
    guard case .close(code: 1008, _) = try await binary.receive() else { throw TestFailure("binary is not 1008") }
    let long = try await TestWebSocket.open(port: world.server.port, "/apps/\(world.slow)/events?after=2")
    try await long.send("{\"subscribe\":[" + String(repeating: " ", count: 65_536) + "]}")
    guard case .close(code: 1008, _) = try await long.receive() else { throw TestFailure("too long is not 1008") }
  }

  @Test("a server that stops says so")
  func goingAway() async throws {
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    let socket = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events?after=0")
    async let stopped: Void = server.stop()
    #expect(try await socket.receive() == .close(code: 1001, reason: "going-away"))
    await stopped
  }
}
