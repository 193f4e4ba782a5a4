import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryTestKit
import Synchronization
import Testing

/// Registrars that records name (`sourceUrl`): asked in addition, never instead.
struct HintTests {
  /// An app at a registrar that counts, and at another that a record names.
  private struct Hinted {
    static let url = "https://hint.example"

    let world: World
    let hint: TestRegistrar
    let client: Resolver

    init(
      awaited: Bool = true, limits: (inout HintLimits) -> Void = { _ in }, names: [String] = ["one"],
      find: ResolverSettings.Hints? = nil
    ) throws {
      world = try World()
      hint = try #require(TestRegistrar(app: world.app, clock: world.clock))
      world.clock.advance(by: 1)
      var settings = ResolverSettings()
      settings.areHintsAwaited = awaited
      // Deadlines of this clock are ten seconds or more.
      settings.hintLimits.timeout = ManualClock.deadline
      limits(&settings.hintLimits)
      let hint = hint
      settings.hints = find ?? { url in HintedRegistrar(name: url, host: Self.host(url), transport: hint) }
      let registrar = world.registrar
      client = Resolver(
        app: world.app, registrars: names.map { Registrar(name: $0, transport: registrar) }, store: world.store,
        settings: settings, clock: world.clock, random: { 0.5 })
    }

    static func host(_ url: String) -> String { String(url.split(separator: "/").dropFirst().first ?? "") }

    /// Somebody whose newest record names the hint; both registrars have both records.
    func user(_ url: String = Self.url, _ user: TestUser? = nil) async throws -> TestUser {
      let user = try user ?? world.newUser()
      try await submit(user.claim(at: world.clock.now()))
      world.clock.advance(by: 1)
      let head = try await world.head(of: user)
      try await submit(user.amend(after: head, at: world.clock.now(), sourceURL: url))
      world.clock.advance(by: 1)
      return user
    }

    private func submit(_ text: [UInt8]) async throws {
      try await world.registrar.submit(text)
      try await hint.submit(text)
    }

    /// A rotation that the hint alone has.
    func rotateThere(_ user: inout TestUser) async throws {
      world.clock.advance(by: World.minute)
      let head = try await world.head(of: user)
      try await hint.submit(user.rotate(after: head, at: world.clock.now()))
    }

    func resolved(_ user: TestUser, _ lookUp: LookUp = .always) async throws -> ResolvedUser {
      try #require(try await client.resolve(user.id, lookUp).user)
    }

    /// What the app is told next.
    func notice() async -> TrustNotice? { await client.notices.first { _ in true } }
  }

  @Test func whatTheHintHasMoreIsAnUnconfirmedUpdate() async throws {
    let hinted = try Hinted()
    var user = try await hinted.user()
    let old = user.key
    try await hinted.rotateThere(&user)
    let resolved = try await hinted.resolved(user)
    #expect(resolved.state.currentKey?.publicKey == old.verifyingKey, "the registrar's word counts")
    #expect(resolved.isConfirmed && resolved.disagreements.isEmpty)
    let update = try #require(resolved.hintedUpdate)
    #expect(update.source == Hinted.url && !update.judged.isConfirmed)
    #expect(update.judged.state.currentKey?.publicKey == user.key.verifyingKey)
    #expect(resolved.pin?.head == resolved.state.head.hash, "it moves no pin")
    guard case .hintedUpdate(user.id, _) = await hinted.notice() else {
      Issue.record("no notice")
      return
    }
    let verifier = ObjectVerifier(signers: hinted.client, clock: hinted.world.clock)
    let note = UnverifiedObject(user.note("a", modified: hinted.world.clock.now(), with: old))
    let judgment = try await verifier.verify(note)
    #expect(judgment.verdict == .valid && judgment.isUnconfirmed)
    let new = UnverifiedObject(user.note("b", modified: hinted.world.clock.now()))
    #expect(try await verifier.verify(new).verdict == .invalid, "an update teaches no key")

    // When the registrar has it too, it is no news any more.
    for entry in await hinted.hint.entries(of: user.id).suffix(1) {
      try await hinted.world.registrar.submit(entry.content.canonical)
    }
    let confirmed = try await hinted.resolved(user)
    #expect(confirmed.state.currentKey?.publicKey == user.key.verifyingKey && confirmed.hintedUpdate == nil)
    #expect(confirmed.pin?.head == confirmed.state.head.hash)
  }

  @Test func aHintThatIsBehindOrUnknowingSaysNothing() async throws {
    let hinted = try Hinted()
    let user = try await hinted.user()
    #expect(try await hinted.resolved(user).hintedUpdate == nil)
    let history = await hinted.hint.history(of: user.id)
    await hinted.hint.replace(user.id, with: history?.prefix(throughIndex: 1))
    var resolved = try await hinted.resolved(user)
    #expect(resolved.hintedUpdate == nil && resolved.disagreements.isEmpty)
    await hinted.hint.forget(user.id)
    resolved = try await hinted.resolved(user)
    #expect(resolved.hintedUpdate == nil && resolved.disagreements.isEmpty)
  }

  /// A thief names a registrar of his own: it shows a fork, and gets no more than a report.
  @Test func otherRecordsAreADisagreementThatChangesNothing() async throws {
    let hinted = try Hinted()
    var user = try await hinted.user()
    var thief = user
    try await hinted.rotateThere(&thief)
    let head = try await hinted.world.head(of: user)
    try await hinted.world.registrar.submit(user.rotate(after: head, at: hinted.world.clock.now()))
    let resolved = try await hinted.resolved(user)
    #expect(resolved.state.currentKey?.publicKey == user.key.verifyingKey && resolved.hintedUpdate == nil)
    #expect(resolved.disagreements.map(\.kind) == [.disagreement])
    #expect(resolved.disagreements.first?.evidence.map(\.source) == ["one", Hinted.url])
    guard case .disagreement(user.id, _) = await hinted.notice() else {
      Issue.record("no notice")
      return
    }
  }

  @Test func anotherFirstClaimThatProvesNothingIsADisagreement() async throws {
    let hinted = try Hinted()
    let id = "0123456789abcdef0123456789abcdef"
    let world = hinted.world
    let user = try #require(TestUser(unbound: id, app: world.app))
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    let head = try await world.head(of: user)
    world.clock.advance(by: 1)
    try await world.registrar.submit(user.amend(after: head, at: world.clock.now(), sourceURL: Hinted.url))
    let other = try #require(TestUser(unbound: id, app: world.app))
    try await hinted.hint.submit(other.claim(at: world.clock.now()))
    let resolved = try await hinted.resolved(user)
    #expect(resolved.disagreements.map(\.kind) == [.disagreement])
    #expect(resolved.state.currentKey?.publicKey == user.key.verifyingKey)
  }

  /// The admins of a hint are anybody, and time is not its to tell.
  @Test(arguments: [true, false]) func noDelayedRecordOfAHintTakesEffect(byAdmins: Bool) async throws {
    let hinted = try Hinted()
    let world = hinted.world
    var user = try await hinted.user(
      Hinted.url, byAdmins ? world.newUser(hasRegistrarTier: true) : world.newUser(paperDelay: World.day))
    let head = try await world.head(of: user)
    try await hinted.hint.submit(
      user.recover(
        after: head, at: world.clock.now(), by: byAdmins ? hinted.hint.admin : nil, incarnation: byAdmins ? 1 : nil))
    world.clock.advance(by: 2 * World.day)
    let recovered = try #require(await hinted.hint.head(of: user.id))
    #expect(recovered.action == .recover, "at the hint it has taken effect")
    try await hinted.hint.submit(user.rotate(after: recovered, at: world.clock.now()))
    let resolved = try await hinted.resolved(user)
    #expect(resolved.hintedUpdate == nil && resolved.disagreements.isEmpty)
  }

  // MARK: Bounds

  /// Neither under its own name, nor under another spelling that the finder knows.
  @Test(arguments: ["https://hint.example", "https://hint.example/"])
  func aConfiguredRegistrarIsNotAskedTwice(configured: String) async throws {
    let hint = Mutex<[String]>([])
    let hinted = try Hinted(names: [configured]) { url in
      hint.withLock { $0.append(url) }
      let name = url.hasSuffix("/") ? String(url.dropLast()) : url
      return HintedRegistrar(name: name, host: "hint.example", transport: NobodyTransport())
    }
    let user = try await hinted.user()
    let resolved = try await hinted.resolved(user)
    #expect(resolved.hintedUpdate == nil && resolved.disagreements.isEmpty)
    #expect(hint.withLock { $0.contains(Hinted.url) })
  }

  @Test func aHintGetsNoAuthorizationAndIsNotAskedAllTheTime() async throws {
    let hinted = try Hinted()
    let user = try await hinted.user()
    for _ in 0..<3 {
      _ = try await hinted.resolved(user, .whenNotFresh)
      hinted.world.letItGetStale()
    }
    let asked = await hinted.hint.requests
    let app = hinted.world.app
    #expect(asked.map(\.target) == [APIPath.resolve.path(of: app), APIPath.policies.path(of: app)])
    #expect(asked.allSatisfy { $0.headers.isEmpty && $0.maxAnswerBytes <= HintLimits().answerBytes })
    hinted.world.clock.advance(by: HintLimits().askAgainAfter)
    _ = try await hinted.resolved(user, .whenNotFresh)
    #expect(await hinted.hint.requests.count == 4)
    _ = try await hinted.resolved(user, .known)
    #expect(await hinted.hint.requests.count == 4)
  }

  @Test(arguments: ["unreachable", "forged", "garbage", "huge"]) func aHostThatFailsIsLeftAlone(how: String)
    async throws
  {
    let hinted = try Hinted()
    var user = try await hinted.user()
    try await hinted.rotateThere(&user)
    await hinted.hint.lie { request, answer in
      guard request.method == .post else { return nil }
      var bent = answer
      switch how {
      case "unreachable": return TestRegistrar.problem(.unavailable)
      case "garbage": bent.body = Array("[]".utf8)
      case "huge": bent.body = [UInt8](repeating: 0x20, count: 2 << 20)
      default:
        let text = String(decoding: answer.body, as: UTF8.self)
        bent.body = Array(text.replacing("\"sequence\":2", with: "\"sequence\":3").utf8)
      }
      return bent
    }
    #expect(try await hinted.resolved(user).hintedUpdate == nil)
    let count = await hinted.hint.requests.count
    await hinted.hint.lie(nil)
    #expect(try await hinted.resolved(user).hintedUpdate == nil)
    #expect(await hinted.hint.requests.count == count, "not even when asked to ask always")
    hinted.world.clock.advance(by: HintLimits().restAfterFailure)
    #expect(try await hinted.resolved(user).hintedUpdate != nil)
  }

  @Test func noLookUpAsksMoreThanTheLimits() async throws {
    let hinted = try Hinted { $0.registrarsPerLookUp = 3 }
    var users: Set<UserID> = []
    for number in 0..<5 { users.insert(try await hinted.user("https://h\(number).example").id) }
    for path in ["a", "b", "c"] { users.insert(try await hinted.user("https://h0.example/\(path)").id) }
    _ = try await hinted.client.resolve(users, .whenNotFresh)
    #expect(await hinted.hint.requests.count == 6, "two requests for each of three")
    let crowd = try Hinted { $0.usersPerRegistrar = 2 }
    users = []
    for _ in 0..<4 { users.insert(try await crowd.user().id) }
    _ = try await crowd.client.resolve(users, .whenNotFresh)
    let body = try #require(await crowd.hint.requests.first?.body)
    #expect(try ResolveRequest.read(body).get().ids.count == 2)
  }

  /// A stranger's registrar that does not answer holds nobody up.
  @Test func lookUpsDoNotWaitForHints() async throws {
    let hinted = try Hinted(awaited: false)
    var user = try await hinted.user()
    try await hinted.rotateThere(&user)
    await hinted.hint.hold()
    let changes = await hinted.client.changes()
    #expect(try await hinted.resolved(user).hintedUpdate == nil)
    try await eventually("the hint is asked") { await hinted.hint.requests.count == 1 }
    await hinted.hint.release()
    guard case .hintedUpdate(user.id, _) = await hinted.notice() else {
      Issue.record("no notice")
      return
    }
    var iterator = changes.makeAsyncIterator()
    #expect(await iterator.next() == [user.id], "the look-up")
    #expect(await iterator.next() == [user.id], "the hint")
    #expect(try await hinted.resolved(user, .known).hintedUpdate != nil)
  }

  @Test func aHintThatNeverAnswersIsGivenUp() async throws {
    // This clock lets it pass at once, and the longer one of the registrar that counts never.
    let hinted = try Hinted { $0.timeout = .seconds(1) }
    let user = try await hinted.user()
    await hinted.hint.hold()
    #expect(try await hinted.resolved(user).hintedUpdate == nil)
    #expect(await hinted.hint.cancelledCount == 1)
    #expect(try await hinted.resolved(user).hintedUpdate == nil)
    #expect(await hinted.hint.requests.count == 1, "its host rests")
  }

  @Test func withoutANetworkNobodyIsAsked() async throws {
    let hinted = try Hinted()
    let user = try await hinted.user()
    #expect(try await hinted.world.resolver.resolve(user.id, .always).user != nil)
    #expect(await hinted.hint.requests.isEmpty)
  }
}

/// A transport that must not be used.
private struct NobodyTransport: RegistryTransport {
  func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    Issue.record("a configured registrar was asked as a hint")
    throw .unreachable("nobody")
  }

  func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    throw .unreachable("nobody")
  }
}
