import Cryptography
import KeyRecords
import RegistryCache
import RegistryClient
import RegistryTestKit
import Testing

/// A resolver whose memory is a file: what a client that begins anew makes of it.
struct ResolverTests {
  private static let day: Milliseconds = 24 * 3_600_000

  private let world: CacheWorld
  private let clock = ManualClock(now: 1_770_000_000_000)
  private let registrar: TestRegistrar

  init() throws {
    world = try CacheWorld()
    registrar = try #require(TestRegistrar(app: world.app, clock: clock))
  }

  private func claimedUser() async throws -> TestUser {
    let user = try #require(TestUser(app: world.app, created: clock.now()))
    try await registrar.submit(user.claim(at: clock.now()))
    clock.advance(by: 1)
    return user
  }

  /// Another run of a program: nothing is left but the file.
  private func run<T>(_ body: (Resolver, AppCache) async throws -> T) async throws -> T {
    let store = try world.open(clock: clock)
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: registrar)], store: store, clock: clock,
      random: { 0.5 })
    let value = try await body(resolver, store)
    try store.file.close()
    return value
  }

  private func goAway() async { await registrar.fail(Array(repeating: .unreachable("no route"), count: 100)) }

  @Test func aStartWithoutTheRegistrar() async throws {
    let user = try await claimedUser()
    let checked = try await run { resolver, _ in try await resolver.resolve(user.id).user?.checked }
    await goAway()
    clock.advance(by: Self.day)
    try await run { resolver, _ in
      let known = try #require(try await resolver.resolve(user.id).user)
      #expect(known.freshness == .stale && known.checked == checked && checked != nil)
      #expect(known.state.currentKey?.publicKey == user.key.verifyingKey && known.isConfirmed)
      #expect(known.pin?.head == known.state.head.hash)
      let judgment = try await ObjectVerifier(signers: resolver, clock: clock)
        .verify(UnverifiedObject(user.note("a", modified: clock.now())))
      #expect(judgment.verdict == .valid && judgment.freshness == .stale)
    }
    clock.advance(by: 7 * Self.day)
    try await run { resolver, _ in
      guard case .expired(checked) = try await resolver.resolve(user.id) else {
        Issue.record("what is a week old must not be used")
        return
      }
    }
    await registrar.fail([])
    let freshness = try await run { resolver, _ in try await resolver.resolve(user.id).user?.freshness }
    #expect(freshness == .fresh)
  }

  @Test func aRollbackBetweenRuns() async throws {
    var user = try await claimedUser()
    let before = try #require(await registrar.history(of: user.id))
    let head = try #require(await registrar.head(of: user.id))
    try await registrar.submit(user.rotate(after: head, at: clock.now()))
    clock.advance(by: 1)
    let sequence = try await run { resolver, _ in try await resolver.resolve(user.id).user?.pin?.sequence }
    #expect(sequence == 1)
    await registrar.replace(user.id, with: before)
    // Also where there is room for pins only.
    for isEvicted in [false, true] {
      try await run { resolver, store in
        if isEvicted {
          let nothing = StoredHistory(entries: [], asOf: AsOf(index: 0, time: 0), checked: 0)
          try await store.save([user.id: nothing], from: "one")
        }
        #expect(try await resolver.resolve(user.id, .always).conflict?.kind == .rollback)
        #expect(try await resolver.pin(of: user.id)?.sequence == 1, "the pin stays")
      }
    }
  }

  /// Another registrar, or a thief, at the same address: its first policy is another.
  @Test func anotherPolicyChainBetweenRuns() async throws {
    let user = try await claimedUser()
    let known = try await run { resolver, _ in try await resolver.resolve(user.id).user }
    #expect(known != nil)
    let other = try #require(TestRegistrar(app: world.app, clock: clock))
    let stranger = try #require(TestUser(app: world.app, created: clock.now()))
    try await other.submit(stranger.claim(at: clock.now()))
    clock.advance(by: 1)
    let store = try world.open(clock: clock)
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: other)], store: store, clock: clock)
    #expect(try await resolver.resolve(stranger.id).conflict?.kind == .policy)
    #expect(try await store.pins(of: [stranger.id]).isEmpty)
  }

  @Test func whatWaitsOutlivesTheRun() async throws {
    let user = try #require(TestUser(app: world.app, created: clock.now()))
    let note = user.note("a", modified: clock.now())
    try await run { resolver, store in
      let quarantine = Quarantine(signers: resolver, store: store, clock: clock)
      let judgments = try await quarantine.verify([UnverifiedObject(note)]).judgments
      #expect(judgments.first?.verdict == .unresolved)
    }
    try await registrar.submit(user.claim(at: clock.now()))
    clock.advance(by: 60_000)
    try await run { resolver, store in
      let quarantine = Quarantine(signers: resolver, store: store, clock: clock)
      let judged = try await quarantine.judgeAgain(try await store.quarantinedSigners(), .always)
      #expect(judged.map(\.text) == [note] && judged.first?.judgment.verdict == .valid)
      try await quarantine.release(judged)
    }
    let waiting = try await run { _, store in try await store.quarantinedSigners() }
    #expect(waiting.isEmpty)
  }

  /// While an answer is on its way, another process learns of something newer and moves the pin: no lie of anybody.
  @Test(arguments: [true, false]) func anotherProcessIsFaster(hasHistory: Bool) async throws {
    var user = try await claimedUser()
    let (mine, others) = (try world.open(clock: clock), try world.open(clock: clock))
    let other = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: registrar)], store: others, clock: clock)
    #expect(try await other.resolve(user.id).user?.pin?.sequence == 0)
    if !hasHistory {
      let nothing = StoredHistory(entries: [], asOf: AsOf(index: 0, time: 0), checked: 0)
      try await mine.save([user.id: nothing], from: "one")
    }
    let head = try #require(await registrar.head(of: user.id))
    let rotation = user.rotate(after: head, at: clock.now())
    let transport = OvertakenTransport(registrar) { [registrar, id = user.id] in
      _ = try? await registrar.submit(rotation)
      _ = try? await other.resolve(id, .always)
    }
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: transport)], store: mine, clock: clock)
    let resolved = try #require(try await resolver.resolve(user.id, .always).user)
    #expect(resolved.state.head.sequence == 1 && resolved.pin?.sequence == 1)
    #expect(try await mine.pins(of: [user.id])[user.id]?.sequence == 1)
  }
}

/// Something happens between the first answer and its arrival.
private actor OvertakenTransport: RegistryTransport {
  private let registrar: TestRegistrar
  private var meanwhile: (@Sendable () async -> Void)?

  init(_ registrar: TestRegistrar, _ meanwhile: @escaping @Sendable () async -> Void) {
    self.registrar = registrar
    self.meanwhile = meanwhile
  }

  func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    let answer = try await registrar.answer(to: request)
    let work = meanwhile
    meanwhile = nil
    await work?()
    return answer
  }

  func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    try await registrar.events(target: target, maxFrameBytes: maxFrameBytes)
  }
}
