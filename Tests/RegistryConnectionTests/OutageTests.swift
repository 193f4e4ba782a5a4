import Foundation
import KeyRecords
import RegistryAPI
import RegistryClient
import RegistryConnection
import RegistryTestKit
import Synchronization
import Testing

/// A client of a real registrar that goes away: it has the whole answer or none, and never takes an outage for "unknown".
@Suite(.serialized) struct OutageTests {
  private let app: AppID
  private let folder: TemporaryFolder

  init() throws {
    app = try #require(AppID("outage.example"))
    folder = try TemporaryFolder(prefix: "outage")
  }

  private func start(port: UInt16 = 0) throws -> RegistrarProcess {
    try RegistrarProcess(
      data: folder.path("data"), arguments: ["--app", app.text, "--listen", "127.0.0.1:\(port)"],
      log: folder.path("log"))
  }

  /// People with claimed ids.
  private func people(_ count: Int, _ registrar: RegistrarProcess) throws -> [TestPerson] {
    let http = BlockingHTTP(port: registrar.port)
    return try (0..<count).map { _ in
      let person = try #require(TestPerson(app: app))
      try submit(person.head, http)
      return person
    }
  }

  private func submit(_ record: KeyRecord, _ http: BlockingHTTP) throws {
    let answer = try http.post(APIPath.records.path(of: app), record.canonical)
    try #require(answer.status == 201, "\(answer.code ?? answer.head)")
  }

  /// A clock that can be ahead of the system's.
  private final class LateClock: ClientClock {
    private let ahead = Atomic<Int64>(0)

    func advance(by milliseconds: Milliseconds) { ahead.add(milliseconds, ordering: .relaxed) }
    func now() -> Milliseconds { SystemClock().now() + ahead.load(ordering: .relaxed) }
    func sleep(for duration: Duration) async throws(CancellationError) { try await SystemClock().sleep(for: duration) }
  }

  private final class Count: Sendable {
    let value = Atomic<Int>(0)
  }

  /// A client process: its network, and what it keeps.
  private struct Client {
    let network: RegistryNetwork
    let resolver: Resolver
    let clock: LateClock

    init(_ app: AppID, port: UInt16, store: MemoryStore, timeout: Duration = .seconds(60), freshFor: Milliseconds = 0)
      throws
    {
      network = try RegistryNetwork()
      clock = LateClock()
      let address = try RegistrarAddress("http://127.0.0.1:\(port)")
      var settings = ResolverSettings()
      (settings.freshFor, settings.negativeFor, settings.restAfterFailure) = (freshFor, 0, 0)
      (settings.attempts, settings.firstPause) = (2, .milliseconds(1))
      let registrar = Registrar(
        name: address.description, transport: network.transport(to: address), timeout: timeout)
      resolver = Resolver(app: app, registrars: [registrar], store: store, settings: settings, clock: clock)
    }
  }

  private func withClient(
    port: UInt16, store: MemoryStore, timeout: Duration = .seconds(60), freshFor: Milliseconds = 0,
    _ body: (Client) async throws -> Void
  ) async throws {
    let client = try Client(app, port: port, store: store, timeout: timeout, freshFor: freshFor)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(client)) } catch { outcome = .failure(error) }
    await client.network.stop()
    try outcome.get()
  }

  @Test func anOfflineStartHasWhatIsStoredAndNothingElse() async throws {
    let registrar = try start()
    let port = registrar.port
    let people = try people(3, registrar)
    let (known, stranger) = (Set(people.dropLast().map(\.id)), try #require(people.last))
    let store = MemoryStore()
    try await withClient(port: port, store: store) { client in
      let names = try await client.resolver.resolve(known).values.map(\.name)
      #expect(names == ["user", "user"])
    }
    #expect(registrar.stop() == 0)
    try await withClient(port: port, store: store) { client in
      let found = try await client.resolver.resolve(known.union([stranger.id]))
      for person in people.dropLast() {
        let user = try #require(found[person.id]?.user)
        #expect(user.freshness == .stale && user.state.head.hash == person.head.hash && user.pin != nil)
      }
      #expect(found[stranger.id]?.name == "unavailable", "not known is not unknown")
    }
    try await withClient(port: port, store: MemoryStore()) { client in
      let found = try await client.resolver.resolve(Set(people.map(\.id)))
      #expect(found.values.allSatisfy { $0.name == "unavailable" })
    }
  }

  @Test func aStaleCacheServesUntilItIsTooOldAndCatchesUpAfterwards() async throws {
    var registrar = try start()
    let port = registrar.port
    var person = try people(1, registrar)[0]
    try await withClient(port: port, store: MemoryStore(), freshFor: 60_000) { client in
      let resolver = client.resolver
      #expect(try await resolver.resolve(person.id).user?.freshness == .fresh)
      registrar.kill()
      #expect(try await resolver.resolve(person.id).user?.freshness == .fresh, "nobody is asked")
      client.clock.advance(by: 120_000)
      #expect(try await resolver.resolve(person.id).user?.freshness == .stale)
      #expect(try await resolver.resolve(person.id, .always).user?.freshness == .stale)
      registrar = try start(port: port)
      let next = person.rotate()
      let rotation = try #require(next)
      try submit(rotation, BlockingHTTP(port: port))
      let caughtUp = try #require(try await resolver.resolve(person.id).user)
      #expect(caughtUp.freshness == .fresh && caughtUp.state.head.hash == rotation.hash)
      registrar.kill()
      client.clock.advance(by: ResolverSettings().usableFor + 1)
      let tooOld = try await resolver.resolve(person.id).name
      #expect(tooOld == "expired")
    }
  }

  /// Stopped while the request is under way, so that the end comes in the middle for certain.
  @Test func aRegistrarThatDiesWhileItIsAskedIsUnavailable() async throws {
    var registrar = try start()
    let port = registrar.port
    let people = try people(3, registrar)
    let ids = Set(people.map(\.id))
    for _ in 0..<3 {
      let store = MemoryStore()
      try await withClient(port: port, store: store) { client in
        // The connection is there, and kept.
        #expect(try await client.resolver.resolve(people[0].id).name == "user")
        Foundation.kill(registrar.processID, SIGSTOP)
        let asking = Task { try await client.resolver.resolve(ids, .always) }
        try await waitForUnread(at: port)
        registrar.kill()
        let found = try await asking.value
        #expect(found[people[0].id]?.user?.freshness == .stale)
        for person in people.dropFirst() { #expect(found[person.id]?.name == "unavailable") }
        registrar = try start(port: port)
        let again = try await client.resolver.resolve(ids)
        #expect(again.count == ids.count && again.values.allSatisfy { $0.user?.freshness != nil })
      }
    }
  }

  /// Until a connection to a port of this machine has bytes that its owner has not read.
  private func waitForUnread(at port: UInt16) async throws {
    let address = String(format: "0100007F:%04X", Int(port))
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      // Read to its end: a String takes only the first piece of such a file.
      let table = try FileHandle(forReadingFrom: URL(filePath: "/proc/net/tcp")).readToEnd() ?? Data()
      let connections = String(decoding: table, as: UTF8.self).split(separator: "\n")
      let isUnread = connections.contains { line in
        let fields = line.split(separator: " ")
        return fields.count > 4 && fields[1] == address && fields[3] == "01" && !fields[4].hasSuffix(":00000000")
      }
      if isUnread { return }
      try #require(ContinuousClock.now < deadline, "nobody asks")
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  /// At whatever moment, in the middle of answers of half a megabyte.
  @Test func whateverTheMomentAnAnswerIsWholeOrNone() async throws {
    var registrar = try start()
    let port = registrar.port
    let people = try people(300, registrar)
    let heads = Dictionary(uniqueKeysWithValues: people.map { ($0.id, $0.head.hash) })
    let unclaimed = try #require(TestPerson(app: app)).id
    let ids = Set(heads.keys).union([unclaimed])
    for round in 0..<8 {
      let app = app
      let resolves = Count()
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<2 {
          group.addTask {
            // Each with a client that knows nothing, until one is cut off.
            while true {
              let client = try Client(app, port: port, store: MemoryStore())
              let found = try await client.resolver.resolve(ids)
              await client.network.stop()
              resolves.value.add(1, ordering: .relaxed)
              if Self.check(found, heads, unclaimed) { return true }
            }
          }
        }
        let deadline = ContinuousClock.now + .seconds(60)
        while resolves.value.load(ordering: .relaxed) < 2, ContinuousClock.now < deadline { await Task.yield() }
        try await Task.sleep(for: .microseconds(Int.random(in: 0...20_000)))
        registrar.kill()
        for try await wasCutOff in group { #expect(wasCutOff, "round \(round)") }
      }
      registrar = try start(port: port)
      try await withClient(port: port, store: MemoryStore()) { client in
        let found = try await client.resolver.resolve(ids)
        #expect(!Self.check(found, heads, unclaimed), "all is there again")
      }
    }
  }

  /// Whether the registrar was away; what is known is right in any case.
  private static func check(
    _ found: [UserID: Resolution], _ heads: [UserID: RecordHash], _ unclaimed: UserID
  ) -> Bool {
    let names = Set(found.values.map(\.name))
    guard names != ["unavailable"] else { return true }
    #expect(found[unclaimed]?.name == "unknown" && found.count == heads.count + 1)
    for (id, head) in heads { #expect(found[id]?.user?.state.head.hash == head, "\(found[id]?.name ?? "left out")") }
    return false
  }
}
