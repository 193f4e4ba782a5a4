import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

/// An app, its clock, a registrar and a client.
struct World {
  static let start: Milliseconds = 1_770_000_000_000
  static let minute: Milliseconds = 60_000
  static let hour = 60 * minute
  static let day = 24 * hour

  let app: AppID
  let clock: ManualClock
  let registrar: TestRegistrar
  let store: MemoryStore
  let resolver: Resolver

  init(
    settings: ResolverSettings = ResolverSettings(), rules: (@Sendable (Admins) -> PolicyRules)? = nil,
    store: MemoryStore = MemoryStore()
  ) throws {
    app = try #require(AppID("chat.example"))
    clock = ManualClock(now: Self.start)
    registrar = try #require(TestRegistrar(app: app, clock: clock, rules: rules))
    self.store = store
    resolver = Resolver(
      app: app, registrars: [Registrar(name: "one", transport: registrar)], store: store, settings: settings,
      clock: clock, random: { 0.5 })
  }

  /// A client that begins anew, with the same store or another.
  func restarted(
    store: MemoryStore? = nil, settings: ResolverSettings = ResolverSettings(), firstPolicy: RecordHash? = nil
  ) -> Resolver {
    Resolver(
      app: app, registrars: [Registrar(name: "one", transport: registrar, firstPolicy: firstPolicy)],
      store: store ?? self.store, settings: settings, clock: clock, random: { 0.5 })
  }

  func newUser(paperDelay: Milliseconds = 0, hasRegistrarTier: Bool = false) throws -> TestUser {
    try #require(
      TestUser(app: app, created: clock.now(), paperDelay: paperDelay, hasRegistrarTier: hasRegistrarTier))
  }

  func claimedUser(paperDelay: Milliseconds = 0, hasRegistrarTier: Bool = false) async throws -> TestUser {
    let user = try newUser(paperDelay: paperDelay, hasRegistrarTier: hasRegistrarTier)
    try await registrar.submit(user.claim(at: clock.now()))
    clock.advance(by: 1)
    return user
  }

  func head(of user: TestUser) async throws -> KeyRecord { try #require(await registrar.head(of: user.id)) }

  func rotate(_ user: inout TestUser) async throws {
    let head = try await head(of: user)
    clock.advance(by: Self.minute)
    try await registrar.submit(user.rotate(after: head, at: clock.now()))
  }

  /// Past the time for which what is known is fresh.
  func letItGetStale() { clock.advance(by: 2 * Self.minute) }
}

/// Asks until something holds, or fails after a minute.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let clock = ContinuousClock()
  let deadline = clock.now + .seconds(60)
  while try await !condition() {
    try #require(clock.now < deadline, "\(what) did not come about")
    try await Task.sleep(for: .milliseconds(2))
  }
}
