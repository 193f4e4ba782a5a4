import KeyRecords
import RegistryTestKit
import Testing

@testable import RegistryClient

/// What a resolver answers without asking anybody, and when it does not.
struct SettledUsersTests {
  /// Resolves until the answer is settled: the first look-up makes a pin, which changes what it rests on.
  private static func settle(_ user: UserID, _ resolver: Resolver) async throws -> ResolvedUser {
    _ = try await resolver.resolve(user)
    _ = try await resolver.resolve(user)
    return try #require(resolver.fresh(user))
  }

  @Test func whatIsFreshNeedsNeitherRegistrarNorStore() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let store = BrokenStore(.policies)
    await store.mend()
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: world.registrar)], store: store, clock: world.clock
    )
    let settled = try await Self.settle(user.id, resolver)
    #expect(settled.freshness == .fresh && settled.pin?.head == settled.state.head.hash)
    await store.breakDown(.pins)
    await world.registrar.forgetRequests()
    #expect(try await resolver.resolve(user.id).name == "user")
    let strangers = try await resolver.resolve([user.id, try world.newUser().id])
    #expect(strangers[user.id]?.name == "user" && strangers.count == 2, "the others are looked up all the same")
    #expect(try await resolver.resolve(user.id, .always).name == "unavailable")
    #expect(resolver.fresh(user.id) == nil, "what could not be held against pins counts no more")
  }

  @Test func timeEndsIt() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    _ = try await Self.settle(user.id, world.resolver)
    world.clock.advance(by: -2 * World.minute)
    #expect(resolverIsEmpty(world, user), "a clock that went back says nothing of freshness")
    world.clock.advance(by: 2 * World.minute)
    #expect(!resolverIsEmpty(world, user))
    world.letItGetStale()
    #expect(resolverIsEmpty(world, user))
    #expect(try await world.resolver.resolve(user.id).user?.freshness == .fresh)
  }

  private func resolverIsEmpty(_ world: World, _ user: TestUser) -> Bool { world.resolver.fresh(user.id) == nil }

  @Test func newsTakeItsPlace() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let before = try await Self.settle(user.id, world.resolver)
    try await world.rotate(&user)
    let after = try #require(try await world.resolver.resolve(user.id, .always).user)
    #expect(after.state.head.sequence == before.state.head.sequence + 1)
    #expect(try await world.resolver.resolve(user.id, .known).user?.state.head.hash == after.state.head.hash)
  }

  /// A person compares safety numbers: whoever changes the pin, the next answer has it.
  @Test func aPinThatIsChangedElsewhereIsSeenAtOnce() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let pin = try #require(try await Self.settle(user.id, world.resolver).pin)
    var verified = pin
    verified.trust = .verified
    #expect(await world.store.replacePins([PinChange(of: user.id, from: pin, to: verified)]).isEmpty)
    #expect(try await world.resolver.resolve(user.id).user?.pin?.trust == .verified)
    #expect(try await Self.settle(user.id, world.resolver).pin?.trust == .verified)
    try await world.resolver.forget(user.id)
    #expect(world.resolver.fresh(user.id) == nil)
  }

  @Test func aConflictEndsIt() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let first = await world.registrar.history(of: user.id)
    try await world.rotate(&user)
    _ = try await Self.settle(user.id, world.resolver)
    await world.registrar.replace(user.id, with: first)
    #expect(try await world.resolver.resolve(user.id, .always).conflict?.kind == .rollback)
    #expect(world.resolver.fresh(user.id) == nil)
  }

  /// Decisions that were begun before something changed, and come after it.
  @Test func whatIsOutOfDateIsNotKept() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let old = try await Self.settle(user.id, world.resolver)
    try await world.rotate(&user)
    let new = try #require(try await world.resolver.resolve(user.id, .always).user)
    let times = 0..<Milliseconds.max
    func settled() -> SettledUsers { SettledUsers(maxCount: 10, maxBytes: 1 << 20) }

    let crossed = settled()
    crossed.settle([user.id: .init(user: new, times: times)], since: 0)
    crossed.settle([user.id: .init(user: old, times: times)], since: 0)
    #expect(crossed.user(user.id, at: 1) == nil, "the older one was begun before the newer came")
    let refused = settled()
    refused.settle([user.id: nil], since: 0)
    refused.settle([user.id: .init(user: old, times: times)], since: 0)
    #expect(refused.user(user.id, at: 1) == nil, "it was begun before the conflict")
    let repinned = settled()
    repinned.forget([user.id])
    repinned.settle([user.id: .init(user: new, times: times)], since: 0)
    #expect(repinned.user(user.id, at: 1) == nil, "it was held against an earlier pin")
    repinned.settle([user.id: .init(user: new, times: times)], since: repinned.changes)
    #expect(repinned.user(user.id, at: 1)?.judged.isSame(as: new.judged) == true)
  }

  @Test func memoryIsBounded() async throws {
    let world = try World()
    let user = try await Self.settle(try await world.claimedUser().id, world.resolver)
    let users = try (0..<30).map { _ in try world.newUser().id }
    let few = SettledUsers(maxCount: 10, maxBytes: 1 << 20)
    let small = SettledUsers(maxCount: 1_000, maxBytes: 5 * user.judged.byteCount)
    for id in users {
      for settled in [few, small] { settled.settle([id: .init(user: user, times: 0..<2)], since: settled.changes) }
    }
    #expect((1...10).contains(users.count { few.user($0, at: 1) != nil }))
    #expect((1...5).contains(users.count { small.user($0, at: 1) != nil }))
    #expect(users.last.map { few.user($0, at: 1) != nil } == true, "the newest is there")
  }
}
