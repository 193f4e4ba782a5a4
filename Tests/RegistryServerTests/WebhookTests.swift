import Cryptography
import HTTPFormat
import KeyRecords
import Logging
import PeerstackFormat
import Postgres
import PostgresTestSupport
import Synchronization
import Testing
import WebTransport

@testable import RegistryServer

@Suite("Webhooks") struct WebhookTests {
  private static let timing: WebhookTiming = {
    var timing = WebhookTiming()
    // Nothing runs out on a busy machine.
    timing.lease = .seconds(600)
    timing.renewal = .milliseconds(200)
    timing.deadline = .seconds(300)
    timing.firstPause = .milliseconds(10)
    timing.longestPause = .milliseconds(100)
    return timing
  }()

  private func server(
    to receiver: TestReceiver, path: String = "/hook", like other: TestServer? = nil,
    _ change: (inout RegistryServerConfiguration) -> Void = { _ in }
  ) async throws -> TestServer {
    let app = try #require(AppID("chat.example"))
    let url = try #require(WebhookURL(receiver.url + path))
    return try await TestServer.start(on: other?.postgres, clock: other?.clock ?? TestClock()) {
      $0.webhooks = [app: url]
      $0.webhookTiming = Self.timing
      change(&$0)
    }
  }

  /// Users who claim their ids, all accepted.
  @discardableResult
  private func claim(_ count: Int, at server: TestServer, _ app: AppID) async throws -> [TestUser] {
    var users: [TestUser] = []
    for _ in 0..<count {
      let user = try TestUser(app: app, now: server.now)
      try await server.accept(user.claim, app: app)
      users.append(user)
    }
    return users
  }

  private func firsts(_ indexes: [Int64]) -> [Int64] {
    var seen: Set<Int64> = []
    return indexes.filter { seen.insert($0).inserted }
  }

  @Test("every entry that touches a user is posted as it is in the history, signed by the registrar's key")
  func delivery() async throws {
    let receiver = try await TestReceiver.start()
    let server = try await server(to: receiver, path: "/hook?token=a%20b")
    let app = try await server.createApp("chat.example")
    var user = try TestUser(app: app, now: server.now)
    try await server.accept(user.claim, app: app)
    try await server.accept(try user.rotate(now: server.now), app: app)
    try await eventually("both entries are taken") { receiver.taken.count >= 2 }
    // The policy, which is about nobody, is entry 0.
    #expect(receiver.taken == [1, 2])
    let history = try await server.get("/apps/\(app)/users/\(user.id)/history")["entries"]?.array
    let text = try #require(try await server.get("/apps/\(app)")["publicKey"]?.string)
    let key = try #require(Base64.decodeCanonical(text).flatMap { VerifyingKey($0) })
    for (post, entry) in zip(receiver.posts, try #require(history)) {
      #expect(post.method == "POST" && post.target == "/hook?token=a%20b")
      #expect(post.fields["content-type"] == "application/json")
      let json = try #require(post.json)
      #expect(json["type"]?.string == "Delivery" && json["app"]?.string == app.text)
      #expect(try CanonicalJSON.bytes(of: #require(json["entry"])) == CanonicalJSON.bytes(of: entry))
      #expect(CanonicalJSON.bytes(of: .object(json)) == post.body)
      #expect(json["delivery"]?.string == post.fields["peerstack-delivery"])
      #expect(post.fields["peerstack-key"] == text)
      let bytes = try #require(post.fields["peerstack-signature"].flatMap { Base64.decodeCanonical($0) })
      let signature = try #require(Signature(bytes))
      #expect(key.isValidSignature(signature, for: Array(SHA256.hash(post.body).hex.utf8)))
      #expect(!key.isValidSignature(signature, for: Array(SHA256.hash(post.body + [0x20]).hex.utf8)))
    }
    #expect(Set(receiver.posts.compactMap { $0.fields["peerstack-delivery"] }).count == 2)
    try await eventually("nothing waits") {
      try await server.get("/metrics").text.contains("registrar_webhook_entries_waiting{app=\"chat.example\"} 0")
    }
    await server.stop()
    await receiver.stop()
  }

  @Test("an entry is tried until it is taken, and those after it wait")
  func retry() async throws {
    let log = LogLines()
    let receiver = try await TestReceiver.start { number, _ in
      switch number {
      case 1: .status(500)
      case 2: .redirect(to: "/elsewhere")
      case 3: .status(404)
      case 4: .silence
      case 7, 8: .status(503)
      default: .status(200)
      }
    }
    let server = try await server(to: receiver, path: "/hook?secret") {
      $0.logger = Logger(label: "test") { _ in CapturingLog(lines: log) }
      $0.logger.logLevel = .notice
      $0.webhookTiming.deadline = .seconds(2)
    }
    let app = try await server.createApp("chat.example")
    let users = try await claim(4, at: server, app)
    try await eventually("all are taken") { Set(receiver.taken).count == 4 }
    #expect(firsts(receiver.taken) == [1, 2, 3, 4])
    let posts = receiver.posts
    #expect(posts.prefix(5).map(\.index) == [1, 1, 1, 1, 1])
    // The same at every attempt.
    #expect(Set(posts.prefix(5).map(\.body)).count == 1)
    #expect(Set(posts.prefix(5).map { $0.fields["peerstack-signature"] }).count == 1)
    #expect(posts.allSatisfy { $0.target == "/hook?secret" })
    let metrics = try await server.get("/metrics").text
    #expect(metrics.contains("registrar_webhook_attempts_total{app=\"chat.example\",result=\"failed\"} "))
    let lines = log.all
    #expect(lines.contains { $0.contains("does not take") && $0.contains("status 500") && $0.contains("index=1") })
    #expect(lines.contains { $0.contains("takes entries again") })
    for word in ["secret", "thanks", users[0].id.text, "signature"] {
      #expect(!lines.contains { $0.contains(word) }, "\(word)")
    }
    await server.stop()
    await receiver.stop()
  }

  @Test("what was accepted while nobody delivered is delivered after a restart, and nothing twice in good order")
  func restart() async throws {
    let isOpen = Atomic(true)
    let receiver = try await TestReceiver.start { _, _ in
      isOpen.load(ordering: .relaxed) ? .status(200) : .status(503)
    }
    let first = try await server(to: receiver)
    let app = try await first.createApp("chat.example")
    try await claim(2, at: first, app)
    try await eventually("two are taken") { receiver.taken.count == 2 }
    isOpen.store(false, ordering: .relaxed)
    try await claim(1, at: first, app)
    try await eventually("the third is tried") { receiver.posts.contains { $0.index == 3 } }
    await first.stop()
    let silent = try await TestServer.start(on: first.postgres, clock: first.clock)
    try await claim(2, at: silent, app)
    await silent.stop()
    isOpen.store(true, ordering: .relaxed)
    let second = try await server(to: receiver, like: first)
    try await claim(1, at: second, app)
    try await eventually("all are taken") { receiver.taken.count >= 6 }
    #expect(receiver.taken == [1, 2, 3, 4, 5, 6])
    await second.stop()
    await receiver.stop()
  }

  @Test("an instance that died is followed by the next when its lease has run out, without loss")
  func death() async throws {
    let receiver = try await TestReceiver.start()
    let server = try await TestServer.start()
    let app = try await server.createApp("chat.example")
    try await claim(3, at: server, app)
    // What a dead instance leaves behind: the first was taken and noted, the second may have been taken.
    let loop = try EventLoop.start(name: "sql")
    let session = PostgresSession(configuration: server.postgres, loop: loop)
    try await session.transaction { transaction in
      _ = try await transaction.query(
        PreparedStatement(
          "dead_holder",
          """
          insert into webhook_cursors (app, next_index, holder, leased_until)
          values ('chat.example', 2, 'dead', (extract(epoch from clock_timestamp()) * 1000)::bigint + 1500)
          """))
    }
    session.close()
    loop.stop()
    let heir = try await self.server(to: receiver, like: server)
    try await eventually("the rest is taken") { receiver.taken.count >= 2 }
    #expect(receiver.taken == [2, 3])
    await heir.stop()
    await server.stop()
    await receiver.stop()
  }

  @Test("of two instances one delivers at a time, and the other goes on when it stops")
  func twoInstances() async throws {
    let receiver = try await TestReceiver.start { _, _ in
      // Long enough for somebody else to come in between.
      try? await Task.sleep(for: .milliseconds(10))
      return .status(200)
    }
    let first = try await server(to: receiver)
    let app = try await first.createApp("chat.example")
    let second = try await server(to: receiver, like: first)
    for server in [first, second, first, second] { try await claim(5, at: server, app) }
    try await eventually("all are taken") { Set(receiver.taken).count == 20 }
    await first.stop()
    try await claim(5, at: second, app)
    try await eventually("the others are taken") { Set(receiver.taken).count == 25 }
    #expect(firsts(receiver.taken) == Array(1...25))
    #expect(receiver.mostUnderWay == 1)
    await second.stop()
    await receiver.stop()
  }

  @Test("deliveries go on after the database was away")
  func outage() async throws {
    // Of its own: what is done to it would harm the other tests.
    let database = try TestDatabase()
    let receiver = try await TestReceiver.start()
    let url = try #require(WebhookURL(receiver.url))
    let app = try #require(AppID("chat.example"))
    let server = try await TestServer.start(on: try await database.freshSchema()) {
      $0.webhooks = [app: url]
      $0.webhookTiming = Self.timing
    }
    try await server.createApp("chat.example")
    for round in 1...4 {
      try await Self.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()", in: database)
      let user = try TestUser(app: app, now: server.now)
      try await eventually("the record is accepted") {
        [200, 201].contains(try await server.post("/apps/\(app)/records", user.claim).status)
      }
      if round % 2 == 0 { try await eventually("it is taken") { Set(receiver.taken).count == round } }
    }
    #expect(firsts(receiver.taken) == [1, 2, 3, 4])
    await server.stop()
    await receiver.stop()
  }

  private static func run(_ sql: String, in database: TestDatabase) async throws {
    let loop = try EventLoop.start(name: "sql")
    defer { loop.stop() }
    let session = PostgresSession(configuration: try database.configuration(), loop: loop)
    defer { session.close() }
    try await session.transaction { _ = try await $0.query(PreparedStatement("sql", sql)) }
  }

  @Test("a webhook that is new to an app begins with what is accepted from then on")
  func begin() async throws {
    let receiver = try await TestReceiver.start()
    let silent = try await TestServer.start()
    let app = try await silent.createApp("chat.example")
    try await claim(3, at: silent, app)
    let server = try await server(to: receiver, like: silent)
    try await claim(1, at: silent, app)
    try await eventually("it is taken") { !receiver.taken.isEmpty }
    #expect(receiver.taken == [4])
    await server.stop()
    await silent.stop()
    await receiver.stop()
  }

  @Test("pauses double up to a limit, and differ")
  func pauses() {
    let timing = WebhookTiming()
    #expect(timing.renewal + timing.deadline < timing.lease)
    #expect(timing.allowsDelivery(atAge: timing.renewal) && !timing.allowsDelivery(atAge: .seconds(20)))
    var generator = SystemRandomNumberGenerator()
    for (failures, step) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1_000_000, 60)] {
      let pauses = (0..<50).map { _ in timing.pause(after: failures, using: &generator) }
      #expect(pauses.allSatisfy { $0 >= .seconds(step) / 2 && $0 <= .seconds(step) }, "\(failures)")
      #expect(Set(pauses).count > 1)
    }
  }

  @Test("URLs are http or https, and are shown without what may be secret")
  func urls() {
    for text in ["ws://a/", "wss://a/", "ftp://a/", "//a/", "a", "https://u:p@a/", "https://a/#x", "https://a/ b", ""] {
      #expect(WebhookURL(text) == nil, "\(text)")
    }
    #expect(WebhookURL("http://127.0.0.1:8080/x?secret").map(\.description) == "http://127.0.0.1:8080")
    #expect(WebhookURL("https://Hooks.example/secret").map(\.description) == "https://hooks.example")
  }
}
