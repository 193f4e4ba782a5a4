import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

struct PinTests {
  private func verify(_ world: World, _ user: TestUser) async throws -> Pin {
    _ = try await world.resolver.resolve(user.id)
    let head = try await world.head(of: user).hash
    #expect(try await world.resolver.verifyPin(of: user.id, head: head))
    return try #require(try await world.resolver.pin(of: user.id))
  }

  /// The notices that came up to now.
  private func notices(_ resolver: Resolver, count: Int) async -> [TrustNotice] {
    var notices: [TrustNotice] = []
    for await notice in resolver.notices {
      notices.append(notice)
      if notices.count == count { break }
    }
    return notices
  }

  @Test func aVerifiedPinFollowsAnOrdinaryRotation() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let pin = try await verify(world, user)
    #expect(pin.trust == .verified)
    try await world.rotate(&user)
    world.letItGetStale()
    let moved = try #require(try await world.resolver.resolve(user.id).user?.pin)
    #expect(moved.trust == .verified && moved.sequence == 1 && moved.head != pin.head && moved.first == pin.first)
    #expect(moved.asOf.time > pin.asOf.time)
  }

  /// What a keystore remembers, say, where this client has a pin of its own already.
  @Test func aPinFromElsewhereIsHeldAgainstAHistory() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let first = try #require(try await world.resolver.resolve(user.id).user)
    let pin = try #require(first.pin)
    try await world.rotate(&user)
    world.letItGetStale()
    let next = try #require(try await world.resolver.resolve(user.id).user)
    #expect(next.contradiction(to: pin) == nil)
    #expect(first.contradiction(to: try #require(next.pin))?.contains("rollback") == true)
    var fork = pin
    fork.head = RecordHash(of: [1])
    #expect(next.contradiction(to: fork)?.contains("fork") == true)
  }

  @Test func onlyThePinnedHeadCanBeVerified() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    #expect(try await !world.resolver.verifyPin(of: user.id, head: RecordHash(of: [])))
    _ = try await world.resolver.resolve(user.id)
    #expect(try await !world.resolver.verifyPin(of: user.id, head: RecordHash(of: [])))
    #expect(try await world.resolver.pin(of: user.id)?.trust == .unverified)
  }

  @Test func aRaisedIncarnationDemotes() async throws {
    let world = try World()
    var user = try await world.claimedUser(hasRegistrarTier: true)
    _ = try await verify(world, user)
    let head = try await world.head(of: user)
    let text = user.recover(
      after: head, at: world.clock.now(), by: world.registrar.admin, incarnation: head.incarnation + 1)
    try await world.registrar.submit(text)
    world.letItGetStale()
    // Still pending: the key is the old one, and trust as it was.
    #expect(try await world.resolver.resolve(user.id).user?.pin?.trust == .verified)
    world.clock.advance(by: World.day)
    let after = try #require(try await world.resolver.resolve(user.id).user)
    #expect(after.state.currentKey?.publicKey == user.key.verifyingKey)
    #expect(after.pin?.trust == .unverified && after.pin?.incarnation == 1)
    guard case .demoted(user.id, .continuity) = await notices(world.resolver, count: 1).first else {
      Issue.record("the app must be told")
      return
    }
  }

  @Test func timeNeverGoesBack() async throws {
    let world = try World()
    var user = try await world.claimedUser(hasRegistrarTier: true)
    let head = try await world.head(of: user)
    try await world.registrar.submit(
      user.recover(after: head, at: world.clock.now(), by: world.registrar.admin, incarnation: 1))
    world.clock.advance(by: World.day + World.minute)
    #expect(try await world.resolver.resolve(user.id).user?.state.currentKey?.publicKey == user.key.verifyingKey)
    // A registrar that says it is yesterday must not bring the old key back.
    await world.registrar.lie { request, answer in
      guard request.method == .post else { return nil }
      let fields = try? JSONValue.parseStrict(answer.body, maxDepth: 30).object
      let asOf = fields?["asOf"]?.object?.setting("time", to: .integer(World.start + World.hour))
      return fields.map { fields in
        RegistryAnswer(status: 200, body: JSONValue.object(fields.setting("asOf", to: .object(asOf ?? [:]))).text)
      }
    }
    for client in [world.resolver, world.restarted()] {
      let state = try await client.resolve(user.id, .always).user?.state
      #expect(state?.currentKey?.publicKey == user.key.verifyingKey)
    }
  }

  /// A registrar without `boundSince`, so that anybody may claim any id.
  private func openWorld(contestWindow: Milliseconds = 0) throws -> World {
    try World(rules: { PolicyRules(admins: $0, boundSince: nil, contestWindow: contestWindow) })
  }

  @Test func aBoundClaimBeatsTheOneThatWasPinned() async throws {
    let world = try openWorld()
    let owner = try world.newUser()
    let squatter = try #require(TestUser(unbound: owner.id.text, app: world.app))
    try await world.registrar.submit(squatter.claim(at: world.clock.now()))
    _ = try await verify(world, squatter)
    #expect(try await world.resolver.resolve(owner.id).user?.isBound == false)
    world.clock.advance(by: World.minute)
    try await world.registrar.submit(owner.claim(at: world.clock.now()))
    world.letItGetStale()
    let now = try #require(try await world.resolver.resolve(owner.id).user)
    #expect(now.isBound && now.state.currentKey?.publicKey == owner.key.verifyingKey)
    #expect(now.pin?.trust == .unverified && now.pin?.first == now.state.firstClaim.hash)
    guard case .demoted(owner.id, .refused) = await notices(world.resolver, count: 1).first else {
      Issue.record("the app must be told")
      return
    }
    // The squatter's objects are nobody's any more.
    let verifier = ObjectVerifier(signers: world.resolver, clock: world.clock)
    let object = try await verifier.verify(UnverifiedObject(squatter.note("a", modified: world.clock.now())))
    #expect(object.verdict == .invalid && object.isBound == true)
  }

  @Test func aContestedUserIsNotPinnedAndMakesSuspects() async throws {
    let world = try openWorld(contestWindow: 10 * World.day)
    let (one, rival) = try rivals(world)
    try await world.registrar.submit(one.claim(at: world.clock.now()))
    try await world.registrar.submit(rival.claim(at: world.clock.now()))
    let contested = try #require(try await world.resolver.resolve(one.id).user)
    #expect(contested.state.status == .contested && contested.pin == nil)
    let verifier = ObjectVerifier(signers: world.resolver, clock: world.clock)
    let object = try await verifier.verify(UnverifiedObject(one.note("a", modified: world.clock.now())))
    #expect(object.verdict == .suspect)
    world.clock.advance(by: 31 * World.day)
    let settled = try #require(try await world.resolver.resolve(one.id).user)
    #expect(settled.state.status == .active && settled.pin?.trust == .unverified)
  }

  @Test func aContestLeavesAnEarlierPinWhereItIs() async throws {
    let world = try openWorld(contestWindow: 10 * World.day)
    let (one, rival) = try rivals(world)
    try await world.registrar.submit(one.claim(at: world.clock.now()))
    let pin = try await verify(world, one)
    try await world.registrar.submit(rival.claim(at: world.clock.now()))
    world.letItGetStale()
    #expect(try await world.resolver.resolve(one.id).user?.pin == pin)
  }

  private func rivals(_ world: World) throws -> (TestUser, TestUser) {
    let id = "00mjuohs00aaaaaaaaaaaaaaa"
    return (
      try #require(TestUser(unbound: id, app: world.app)), try #require(TestUser(unbound: id, app: world.app))
    )
  }

  @Test func forgettingAPinMakesTheNextLookTheFirst() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    try await world.rotate(&user)
    _ = try await world.resolver.resolve(user.id)
    let history = await world.registrar.history(of: user.id)
    await world.registrar.replace(user.id, with: history?.prefix(throughIndex: 1))
    world.letItGetStale()
    #expect(try await world.resolver.resolve(user.id).name == "conflict rollback")
    try await world.resolver.forget(user.id)
    #expect(try await world.resolver.pin(of: user.id) == nil)
    #expect(try await world.resolver.resolve(user.id).user?.pin?.sequence == 0)
  }

  /// Another process that shares the store has seen more than this one: that is no lie of the registrar.
  @Test func aPinThatSomebodyElseMoved() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let other = world.restarted()
    let head = try await world.head(of: user)
    world.clock.advance(by: World.minute)
    _ = try await world.resolver.resolve(user.id)
    _ = try await other.resolve(user.id)
    try await world.registrar.submit(user.rotate(after: head, at: world.clock.now()))
    #expect(try await other.resolve(user.id, .always).user?.pin?.sequence == 1)
    let resolved = try #require(try await world.resolver.resolve(user.id).user)
    #expect(resolved.state.currentKey?.publicKey == user.key.verifyingKey)
  }

  // MARK: Several registrars

  private func client(_ registrars: [TestRegistrar], _ world: World, store: MemoryStore = MemoryStore()) -> Resolver {
    Resolver(
      app: world.app,
      registrars: registrars.enumerated().map { Registrar(name: "r\($0.offset)", transport: $0.element) }, store: store,
      clock: world.clock, random: { 0.5 })
  }

  private func open(_ world: World) throws -> TestRegistrar {
    let rules: @Sendable (Admins) -> PolicyRules = { PolicyRules(admins: $0, boundSince: nil) }
    return try #require(TestRegistrar(app: world.app, clock: world.clock, rules: rules))
  }

  @Test func theFirstThatKnowsTheUserDecidesAndDisagreementIsReported() async throws {
    let world = try openWorld()
    let (first, second) = (try open(world), try open(world))
    let (one, rival) = try rivals(world)
    try await first.submit(one.claim(at: world.clock.now()))
    try await second.submit(rival.claim(at: world.clock.now()))
    let client = client([first, second], world)
    let found = try #require(try await client.resolve(one.id).user)
    #expect(found.registrar == "r0" && found.state.currentKey?.publicKey == one.key.verifyingKey)
    #expect(found.disagreements.map(\.kind) == [.disagreement])
    #expect(found.disagreements.first?.evidence.map(\.source) == ["r0", "r1"])
    guard case .disagreement(one.id, _) = await notices(client, count: 1).first else {
      Issue.record("the app must be told")
      return
    }
  }

  @Test func aBoundClaimCountsWhereverItIs() async throws {
    let world = try openWorld()
    let (first, second) = (try open(world), try open(world))
    let owner = try world.newUser()
    let squatter = try #require(TestUser(unbound: owner.id.text, app: world.app))
    try await first.submit(squatter.claim(at: world.clock.now()))
    try await second.submit(owner.claim(at: world.clock.now()))
    let found = try #require(try await client([first, second], world).resolve(owner.id).user)
    #expect(found.registrar == "r1" && found.isBound)
  }

  @Test func twoDifferentBoundClaimsAreAConflict() async throws {
    let world = try openWorld()
    let (first, second) = (try open(world), try open(world))
    let owner = try world.newUser()
    try await first.submit(owner.claim(at: world.clock.now()))
    try await second.submit(owner.claim(at: world.clock.now() + 1))
    let resolution = try await client([first, second], world).resolve(owner.id)
    #expect(resolution.name == "conflict boundClaims")
    #expect(resolution.conflict?.evidence.map(\.source) == ["r0", "r1"])
  }

  @Test func whileTheFirstIsAwayTheSecondDecidesOnlyWhatProvesItself() async throws {
    let world = try openWorld()
    let (first, second) = (try open(world), try open(world))
    let (one, _) = try rivals(world)
    let bound = try world.newUser()
    try await second.submit(one.claim(at: world.clock.now()))
    try await second.submit(bound.claim(at: world.clock.now()))
    await first.fail(Array(repeating: .unreachable("away"), count: 50))
    let found = try await client([first, second], world).resolve([one.id, bound.id])
    #expect(found[one.id]?.name == "unavailable")
    #expect(found[bound.id]?.user?.registrar == "r1")
  }

  @Test func aPinHoldsAgainstAMoreTrustedRegistrarToo() async throws {
    let world = try openWorld()
    let (first, second) = (try open(world), try open(world))
    let (one, rival) = try rivals(world)
    try await second.submit(one.claim(at: world.clock.now()))
    let client = client([first, second], world)
    #expect(try await client.resolve(one.id).user?.registrar == "r1")
    try await first.submit(rival.claim(at: world.clock.now()))
    world.letItGetStale()
    #expect(try await client.resolve(one.id).name == "conflict rollback")
  }

  /// A registrar that forgets a user must not make another one decide.
  @Test func aRegistrarThatForgetsIsNotPassedOver() async throws {
    let world = try openWorld()
    let (first, second) = (try open(world), try open(world))
    let (one, _) = try rivals(world)
    for registrar in [first, second] { try await registrar.submit(one.claim(at: world.clock.now())) }
    let store = MemoryStore()
    #expect(try await client([first, second], world, store: store).resolve(one.id).user?.registrar == "r0")
    await first.forget(one.id)
    let nothing = StoredHistory(entries: [], asOf: AsOf(index: 0, time: 0), checked: 0)
    await store.save([one.id: nothing], from: "r0")
    #expect(try await client([first, second], world, store: store).resolve(one.id).name == "conflict rollback")
  }
}
