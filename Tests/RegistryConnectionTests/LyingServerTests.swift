import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryConnection
import RegistryTestKit
import Testing

/// A registrar that lies over real connections: in its answers, and in HTTP itself. Every lie is refused with the right
/// verdict, in bounded time and memory.
struct LyingServerTests {
  /// Bytes that may be on their way when a client hangs up: what it allows for an answer, and what sockets buffer.
  private static let mostBytes = 64 << 20

  /// A registrar behind a real server, a user with three records there, and clients of it.
  private struct Wired {
    let app: AppID
    let clock: ManualClock
    let registrar: TestRegistrar
    let server: LyingServer
    let network: RegistryNetwork
    var user: TestUser

    init() async throws {
      app = try #require(AppID("chat.example"))
      clock = ManualClock(now: SystemClock().now() - 600_000)
      registrar = try #require(TestRegistrar(app: app, clock: clock))
      server = try LyingServer(registrar)
      network = try RegistryNetwork()
      user = try await Self.claimed(app, clock, registrar)
      for _ in 0..<2 {
        clock.advance(by: 1_000)
        let head = try #require(await registrar.head(of: user.id))
        try await registrar.submit(user.rotate(after: head, at: clock.now()))
      }
    }

    static func claimed(_ app: AppID, _ clock: ManualClock, _ registrar: TestRegistrar) async throws -> TestUser {
      let user = try #require(TestUser(app: app, created: clock.now()))
      try await registrar.submit(user.claim(at: clock.now()))
      clock.advance(by: 1_000)
      return user
    }

    /// A client that forgets nothing and believes nothing for long.
    func client(timeout: Duration = .seconds(120), store: MemoryStore = MemoryStore()) throws -> Resolver {
      let address = try RegistrarAddress("http://127.0.0.1:\(server.port)")
      var settings = ResolverSettings()
      (settings.freshFor, settings.negativeFor, settings.restAfterFailure) = (0, 0, 0)
      (settings.attempts, settings.firstPause) = (2, .milliseconds(1))
      let registrar = Registrar(
        name: address.description, transport: network.transport(to: address), timeout: timeout)
      return Resolver(app: app, registrars: [registrar], store: store, settings: settings)
    }

    func note() -> UnverifiedObject { UnverifiedObject(user.note("a", modified: clock.now())) }
  }

  private func wired(_ body: (Wired) async throws -> Void) async throws {
    let wired = try await Wired()
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(wired)) } catch { outcome = .failure(error) }
    await wired.network.stop()
    try outcome.get()
  }

  /// The same lies as in process, which are judged behind a real transport here.
  @Test(arguments: RegistrarLie.againstTheRules + [RegistrarLie.fromTheFuture] + RegistrarLie.noAnswers)
  func liesInAnswers(lie: RegistrarLie) async throws {
    try await wired { wired in
      await wired.registrar.lie(lie.lie)
      let client = try wired.client()
      #expect(try await client.resolve(wired.user.id).name == lie.resolution)
      let verifier = ObjectVerifier(signers: client)
      #expect(try await verifier.verify(wired.note()).verdict.rawValue == lie.object)
      #expect(wired.server.bytesSent < Self.mostBytes)
      await wired.registrar.lie(nil)
      #expect(try await client.resolve(wired.user.id).name == "user", "honest again")
      #expect(try await verifier.verify(wired.note()).verdict == .valid)
    }
  }

  /// Known before: what is known stays known, with the pin, and no lie becomes an update.
  @Test(arguments: ["rolled back", "forgotten", "forked", "another app", "swapped"])
  func liesAgainstWhatWasKnown(what: String) async throws {
    try await wired { wired in
      let (registrar, clock, app) = (wired.registrar, wired.clock, wired.app)
      var user = wired.user
      let store = MemoryStore()
      let client = try wired.client(store: store)
      let other = try await Wired.claimed(app, clock, registrar)
      #expect(try await client.resolve([user.id, other.id]).values.map(\.name) == ["user", "user"])
      let pin = try #require(try await client.pin(of: user.id))
      let honest = try #require(await registrar.history(of: user.id))
      var expected = "conflict rollback"
      switch what {
      case "rolled back": await registrar.replace(user.id, with: honest.prefix(throughIndex: 2))
      case "forgotten": await registrar.forget(user.id)
      case "forked":
        await registrar.replace(user.id, with: honest.prefix(throughIndex: 2))
        clock.advance(by: 1_000)
        let head = try #require(await registrar.head(of: user.id))
        try await registrar.submit(user.recover(after: head, at: clock.now()))
      case "another app":
        let elsewhere = try #require(AppID("other.example"))
        let foreign = try #require(TestRegistrar(app: elsewhere, clock: clock))
        let stranger = try await Wired.claimed(elsewhere, clock, foreign)
        let entry = try JSONValue.parseStrict(try #require(await foreign.entries(of: stranger.id).first).text)
        await registrar.lie(RegistrarLie.bending { if !$0.users.isEmpty { $0.users[0].entries = [entry] } })
        expected = "conflict rules"
      default:
        // Both are asked for in full: by a client with the pins, and without the histories.
        await registrar.lie(RegistrarLie.swappedUsers)
        expected = "conflict rules"
      }
      let nothing = StoredHistory(entries: [], asOf: AsOf(index: 0, time: 0), checked: 0)
      let name = "http://127.0.0.1:\(wired.server.port)"
      if what == "swapped" { await store.save([user.id: nothing, other.id: nothing], from: name) }
      let asked = what == "swapped" ? try wired.client(store: store) : client
      #expect(try await asked.resolve([user.id, other.id])[user.id]?.name == expected)
      #expect(try await asked.pin(of: user.id) == pin, "a conflict moves no pin")
      await registrar.lie(nil)
      await registrar.replace(user.id, with: honest)
      #expect(try await asked.resolve(user.id).name == "user", "nothing of the lie was kept")
    }
  }

  /// What nobody asked for teaches nothing.
  @Test func answersForUsersWhomNobodyAskedFor() async throws {
    try await wired { wired in
      let store = MemoryStore()
      let other = try await Wired.claimed(wired.app, wired.clock, wired.registrar)
      let entry = try JSONValue.parseStrict(try #require(await wired.registrar.entries(of: other.id).first).text)
      await wired.registrar.lie(
        RegistrarLie.bending { bent in
          bent.users.append((JSONString(other.id.text), [entry]))
          bent.unknown = .array([.text("0123456789abcdefghijklmno"), .text("no id at all")])
        })
      let client = try wired.client(store: store)
      #expect(try await client.resolve(wired.user.id).name == "user")
      #expect(try await client.pin(of: other.id) == nil)
      #expect(try await client.resolve(other.id, .known).name == "unavailable")
    }
  }

  // MARK: Lies in HTTP

  /// A lie about HTTP itself.
  struct WireLie: Sendable, CustomStringConvertible {
    let description: String
    /// Whether only the client's deadline ends it.
    var isSlow = false
    let wire: @Sendable (RegistryAnswer) -> LyingServer.Wire

    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    private static let piece = "10000\r\n" + String(repeating: " ", count: 65_536) + "\r\n"

    private static func endless(
      _ name: String, _ head: String, _ piece: String, isSlow: Bool = false
    ) -> WireLie {
      WireLie(description: name, isSlow: isSlow) { _ in
        .endless(head: Array(head.utf8), piece: Array(piece.utf8), pause: isSlow ? 20_000 : 0)
      }
    }

    /// A head with some lines, and the honest body.
    private static func headed(_ name: String, _ lines: String) -> WireLie {
      WireLie(description: name) { answer in
        .lastBytes(Array((head + lines + "\r\n").utf8) + answer.body)
      }
    }

    private static func text(_ name: String, _ text: String) -> WireLie {
      WireLie(description: name) { _ in .lastBytes(Array(text.utf8)) }
    }

    static let all: [WireLie] = [
      endless("chunks without end", head + "Transfer-Encoding: chunked\r\n\r\n", piece),
      endless("a body without end", head + "Connection: close\r\n\r\n", String(repeating: " ", count: 65_536)),
      endless("a head without end", "HTTP/1.1 200 OK\r\n", "X-Header: value\r\n"),
      endless("a header without end", "HTTP/1.1 200 OK\r\nX-Header: ", "value"),
      endless("continue without end", "", "HTTP/1.1 100 Continue\r\n\r\n"),
      endless("trailers without end", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: value\r\n"),
      endless("a body that drips", head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", isSlow: true),
      endless("a head that drips", "HTTP/1.1 200 OK\r\nX-Header: ", "v", isSlow: true),
      WireLie(description: "silence", isSlow: true) { _ in .bytes([]) },
      WireLie(description: "half an answer", isSlow: true) { answer in
        .bytes(Array(LyingServer.http(answer).dropLast(10)))
      },
      WireLie(description: "a length too long") { .lastBytes(Array(LyingServer.http($0).dropLast(10))) },
      WireLie(description: "a length too short") { answer in
        .lastBytes(Array((head + "Content-Length: \(answer.body.count - 10)\r\n\r\n").utf8) + answer.body)
      },
      headed("a huge length", "Content-Length: 1000000000000\r\n"),
      headed("a length that is none", "Content-Length: 1e3\r\n"),
      headed("a negative length", "Content-Length: -1\r\n"),
      headed("two lengths", "Content-Length: 10\r\nContent-Length: 11\r\n"),
      headed("a length and chunks", "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n"),
      headed("chunks that are none", "Transfer-Encoding: chunked\r\n"),
      headed("an unknown coding", "Transfer-Encoding: gzip\r\n"),
      text("a chunk of too many digits", head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n"),
      text("a redirect", "HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
      text("a redirect elsewhere", "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
      text("switching protocols", "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
      text("no content", "HTTP/1.1 204 X\r\n\r\n"),
      text("not modified", "HTTP/1.1 304 X\r\nETag: \"x\"\r\n\r\n"),
      text("another version", "HTTP/2 200\r\n\r\n{}"),
      text("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"),
      text("nothing at all", ""),
    ]
  }

  @Test(arguments: WireLie.all) func liesInHTTP(lie: WireLie) async throws {
    try await wired { wired in
      let store = MemoryStore()
      // Who knew the user before goes on with that.
      let acquainted = try wired.client(timeout: lie.isSlow ? .seconds(2) : .seconds(120), store: store)
      #expect(try await wired.client(store: store).resolve(wired.user.id).name == "user")
      let client = try wired.client(timeout: lie.isSlow ? .seconds(2) : .seconds(120))
      let before = wired.server.bytesSent
      wired.server.lie { request, answer in request.method == .post ? lie.wire(answer) : .honest }
      #expect(try await client.resolve(wired.user.id).name == "unavailable")
      #expect(try await ObjectVerifier(signers: client).verify(wired.note()).verdict == .unresolved)
      let known = try #require(try await acquainted.resolve(wired.user.id).user)
      #expect(known.freshness == .stale && known.state.head.sequence == 2)
      #expect(wired.server.bytesSent - before < Self.mostBytes)
      #expect(!wired.server.targets.contains("/elsewhere"), "redirects are not followed")
      wired.server.lie(nil)
      #expect(try await wired.client().resolve(wired.user.id).name == "user", "honest again")
    }
  }

  /// An answer behind the answer is not the answer to the next request.
  @Test func anAnswerThatNobodyAskedFor() async throws {
    try await wired { wired in
      let denial = RegistryAnswer(
        status: 200,
        body: Array(
          "{\"asOf\":{\"index\":3,\"time\":\(wired.clock.now())},\"users\":{},\"unknown\":[\"\(wired.user.id)\"],\"more\":[]}"
            .utf8))
      wired.server.lie { _, answer in .bytes(LyingServer.http(answer) + LyingServer.http(denial)) }
      let client = try wired.client()
      for _ in 0..<5 {
        let name = try await client.resolve(wired.user.id).name
        #expect(name == "user" || name == "unavailable")
      }
    }
  }

  /// All connections are given up, those of endless answers too.
  @Test func nothingIsLeftBehind() async throws {
    try await wired { wired in
      wired.server.lie { _, _ in
        .endless(head: Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8), piece: [0x20], pause: 1_000)
      }
      let client = try wired.client()
      let user = wired.user.id
      let task = Task { try await client.resolve(user) }
      while wired.server.connectionCount == 0 { try await Task.sleep(for: .milliseconds(2)) }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      let deadline = ContinuousClock.now + .seconds(60)
      while wired.server.connectionCount > 0 {
        try #require(ContinuousClock.now < deadline, "a connection stays")
        try await Task.sleep(for: .milliseconds(2))
      }
    }
  }
}
