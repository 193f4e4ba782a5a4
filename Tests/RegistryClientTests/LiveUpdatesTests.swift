import KeyRecords
import RegistryClient
import RegistryTestKit
import Testing

struct LiveUpdatesTests {
  private func updates(_ world: World) -> LiveUpdates {
    LiveUpdates(
      resolver: world.resolver, registrar: Registrar(name: "one", transport: world.registrar), store: world.store,
      clock: world.clock, random: { 0.5 })
  }

  private func isConnected(_ world: World, times: Int = 1) async throws {
    try await eventually("the feed is opened") { await world.registrar.feedTargets.count >= times }
  }

  @Test func aRevocationArrivesAtOnce() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    _ = try await world.resolver.resolve(user.id)
    let following = Task { try await updates(world).run() }
    try await isConnected(world)
    let head = try await world.head(of: user)
    try await world.registrar.submit(user.revoke(after: head, at: world.clock.now()))
    // The clock stands still: what was known is as fresh as before.
    try await eventually("the revocation is known") {
      try await world.resolver.resolve(user.id, .known).user?.state.status == .locked
    }
    following.cancel()
    await #expect(throws: CancellationError.self) { try await following.value }
  }

  @Test func itResumesWhereItWas() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    _ = try await world.resolver.resolve(user.id)
    let following = Task { try await updates(world).run() }
    try await isConnected(world)
    try await world.rotate(&user)
    try await eventually("the cursor is kept") { await world.store.cursor(of: "one") == 2 }
    // Nobody here knows this one: not worth a request.
    await world.registrar.forgetRequests()
    _ = try await world.claimedUser()
    await world.registrar.closeFeeds()
    try await world.rotate(&user)
    try await isConnected(world, times: 2)
    try await eventually("what was missed is known") {
      try await world.resolver.resolve(user.id, .known).user?.state.keys.count == 3
    }
    let targets = await world.registrar.feedTargets
    #expect(targets[0] == "/apps/chat.example/events?after=1")
    #expect(targets[1] == "/apps/chat.example/events?after=3")
    #expect(await world.registrar.requests.filter { $0.method == .post }.count == 1)
    following.cancel()
  }

  @Test func aKeyThatIsWaitedForArrives() async throws {
    let world = try World()
    let user = try world.newUser()
    let quarantine = Quarantine(signers: world.resolver, store: world.store, clock: world.clock)
    _ = try await quarantine.verify([UnverifiedObject(user.note("a", modified: world.clock.now()))])
    let quarantining = Task { try await quarantine.run() }
    let following = Task { try await updates(world).run() }
    try await isConnected(world)
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    var released = quarantine.released.makeAsyncIterator()
    #expect(try await released.next()?.judgment.verdict == .valid)
    following.cancel()
    quarantining.cancel()
  }

  /// What was claimed or revoked after somebody was looked up, and before the feed was followed for the first time, is not
  /// announced.
  @Test func whatHappenedBeforeTheFirstCursorIsNotMissed() async throws {
    let world = try World()
    let known = try await world.claimedUser()
    _ = try await world.resolver.resolve(known.id)
    let waited = try world.newUser()
    let quarantine = Quarantine(signers: world.resolver, store: world.store, clock: world.clock)
    _ = try await quarantine.verify([UnverifiedObject(waited.note("a", modified: world.clock.now()))])
    try await world.registrar.submit(waited.claim(at: world.clock.now()))
    try await world.registrar.submit(known.revoke(after: try await world.head(of: known), at: world.clock.now()))
    let following = Task { try await updates(world).run() }
    try await isConnected(world)
    #expect(try await world.resolver.resolve(waited.id, .known).user != nil)
    #expect(try await world.resolver.resolve(known.id, .known).user?.state.status == .locked)
    following.cancel()
  }

  /// Between the answer that a signer is unknown and the storing of the objects that wait, the signer may be announced.
  @Test func whoWasAskedForInVainIsLookedUpWhenAnnounced() async throws {
    let world = try World()
    await world.store.saveCursor(0, of: "one")
    let user = try world.newUser()
    guard case .unknown = try await world.resolver.resolve(user.id) else {
      Issue.record("the user is known already")
      return
    }
    let following = Task { try await updates(world).run() }
    try await isConnected(world)
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    try await eventually("the user is known") { try await world.resolver.resolve(user.id, .known).user != nil }
    following.cancel()
  }

  /// A resolver to whose "unknown" the claim comes too late, and before the caller has done anything with it.
  private struct LateSigners: SignerResolving {
    let world: World
    let user: TestUser

    func resolve(_ users: Set<UserID>, _ lookUp: LookUp) async throws(CancellationError) -> [UserID: Resolution] {
      let answers = try await world.resolver.resolve(users, lookUp)
      guard case .unknown? = answers[user.id] else { return answers }
      _ = try? await world.registrar.submit(user.claim(at: world.clock.now()))
      _ = try await world.resolver.resolve(users, .always)
      return answers
    }

    func changes() async -> AsyncStream<Set<UserID>> { await world.resolver.changes() }
  }

  @Test(.timeLimit(.minutes(2))) func whoBecomesKnownBeforeTheObjectsAreStoredIsNotWaitedFor() async throws {
    let world = try World()
    let user = try world.newUser()
    let quarantine = Quarantine(
      signers: LateSigners(world: world, user: user), store: world.store, clock: world.clock)
    let result = try await quarantine.verify([UnverifiedObject(user.note("a", modified: world.clock.now()))])
    #expect(result.judgments.map(\.verdict) == [.unresolved])
    var released = quarantine.released.makeAsyncIterator()
    #expect(try await released.next()?.judgment.verdict == .valid)
  }

  @Test func aCursorFromBeforeARestoreBeginsAtTheEnd() async throws {
    let world = try World()
    await world.store.saveCursor(99, of: "one")
    let following = Task { try await updates(world).run() }
    try await isConnected(world, times: 2)
    #expect(
      await world.registrar.feedTargets.prefix(2) == [
        "/apps/chat.example/events?after=99", "/apps/chat.example/events?after=0",
      ])
    following.cancel()
  }

  @Test func itConnectsAgainLaterAndLater() async throws {
    let world = try World()
    await world.store.saveCursor(0, of: "one")
    await world.registrar.fail([.unreachable("a"), .unreachable("b"), .timedOut])
    let following = Task { try await updates(world).run() }
    try await isConnected(world, times: 4)
    #expect(world.clock.pauses.prefix(3) == [.milliseconds(150), .milliseconds(300), .milliseconds(600)])
    following.cancel()
  }
}
