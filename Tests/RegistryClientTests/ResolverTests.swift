import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryTestKit
import Synchronization
import Testing

struct ResolverTests {
  private func resolveRequests(_ world: World) async -> [ResolveRequest] {
    await world.registrar.requests.filter { $0.method == .post }.compactMap {
      try? ResolveRequest.read($0.body ?? []).get()
    }
  }

  @Test func knownAndUnknownUsersInOneRequest() async throws {
    let world = try World()
    let (user, stranger) = (try await world.claimedUser(), try world.newUser())
    let found = try await world.resolver.resolve([user.id, stranger.id])
    let known = try #require(found[user.id]?.user)
    #expect(known.state.currentKey?.publicKey == user.key.verifyingKey)
    #expect(known.isBound && known.isConfirmed && known.freshness == .fresh)
    #expect(known.registrar == "one")
    #expect(known.pin?.head == known.state.head.hash && known.pin?.trust == .unverified)
    #expect(found[stranger.id]?.name == "unknown")
    #expect(await resolveRequests(world).count == 1)
  }

  @Test func whatIsFreshIsNotAskedForAgain() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    _ = try await world.resolver.resolve(user.id)
    await world.registrar.forgetRequests()
    #expect(try await world.resolver.resolve(user.id).user?.freshness == .fresh)
    #expect(await world.registrar.requests.isEmpty)
    _ = try await world.resolver.resolve(user.id, .always)
    #expect(await world.registrar.requests.count == 1)
  }

  @Test func revalidationSendsTheLastHashAndLearnsWhatIsNew() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let first = try #require(try await world.resolver.resolve(user.id).user)
    world.letItGetStale()
    await world.registrar.forgetRequests()
    #expect(try await world.resolver.resolve(user.id).user?.freshness == .fresh)
    #expect(await resolveRequests(world).first?.have == [user.id: first.state.head.hash])
    #expect(await world.registrar.requests.count == 1, "nothing is new, so policies are not asked for")
    try await world.rotate(&user)
    world.letItGetStale()
    let next = try #require(try await world.resolver.resolve(user.id).user)
    #expect(next.state.currentKey?.publicKey == user.key.verifyingKey)
    #expect(next.state.keys.count == 2)
    #expect(next.pin?.sequence == 1)
    #expect(await world.registrar.requests.last?.headers.contains { $0.name == "If-None-Match" } == true)
  }

  @Test func negativeAnswersLastSecondsOnly() async throws {
    let world = try World()
    let user = try world.newUser()
    #expect(try await world.resolver.resolve(user.id).name == "unknown")
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    world.clock.advance(by: 4_999)
    #expect(try await world.resolver.resolve(user.id).name == "unknown")
    world.clock.advance(by: 1)
    #expect(try await world.resolver.resolve(user.id).name == "user")
  }

  @Test func manyUsersAreAskedForInFullRequests() async throws {
    let world = try World()
    let users = try Set((0..<2_500).map { try #require(UserID("00mjuohs00aaaaaaaaaaa\(1_000 + $0)")) })
    let found = try await world.resolver.resolve(users)
    #expect(Set(found.keys) == users && found.values.allSatisfy { $0.name == "unknown" })
    let requests = await resolveRequests(world)
    #expect(requests.map(\.ids.count).sorted() == [500, 1_000, 1_000])
    #expect(Set(requests.flatMap(\.ids)) == users)
  }

  @Test func callsThatComeTogetherShareARequest() async throws {
    var settings = ResolverSettings()
    settings.batchWindow = .milliseconds(300)
    let world = try World()
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: world.registrar)], store: MemoryStore(),
      settings: settings, clock: SystemClock())
    let users = try (0..<200).map { try #require(UserID("00mjuohs00aaaaaaaaaaaa\(100 + $0)")) }
    await withTaskGroup(of: Void.self) { group in
      for user in users { group.addTask { _ = try? await resolver.resolve(user) } }
    }
    let requests = await resolveRequests(world)
    #expect(requests.flatMap(\.ids).count == 200, "each user is asked for once")
    #expect(requests.count < 20)
  }

  @Test func moreIsFollowedUntilNothingIsLeft() async throws {
    let world = try World()
    var users: [TestUser] = []
    for _ in 0..<5 { users.append(try await world.claimedUser()) }
    for _ in 0..<3 { try await world.rotate(&users[2]) }
    await world.registrar.setAnswerBytes(2_500)
    let found = try await world.resolver.resolve(Set(users.map(\.id)))
    for user in users {
      #expect(found[user.id]?.user?.state.currentKey?.publicKey == user.key.verifyingKey)
    }
    #expect(found[users[2].id]?.user?.state.keys.count == 4)
    #expect(await resolveRequests(world).count > 2)
  }

  @Test func worksOfflineFromWhatItHas() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let checked = try #require(try await world.resolver.resolve(user.id).user?.checked)
    #expect(checked == world.clock.now())
    world.letItGetStale()
    await world.registrar.fail(Array(repeating: .unreachable("no route"), count: 100))
    #expect(try await world.resolver.resolve(user.id).user?.freshness == .stale)
    let restarted = world.restarted()
    #expect(try await restarted.resolve(user.id).user?.freshness == .stale)
    #expect(try await restarted.resolve(user.id, .always).user?.checked == checked, "it says from when it is")
    #expect(try await restarted.resolve(user.id, .known).user?.state.currentKey?.publicKey == user.key.verifyingKey)
    world.clock.advance(by: 7 * World.day)
    for resolver in [world.resolver, restarted] {
      for lookUp in [LookUp.known, .whenNotFresh, .always] {
        guard case .expired(checked) = try await resolver.resolve(user.id, lookUp) else {
          Issue.record("what is a week old must not be used, and it must be said that it is there")
          continue
        }
      }
    }
    await world.registrar.fail([])
    #expect(try await restarted.resolve(user.id, .always).user?.freshness == .fresh)
  }

  @Test func aRestartedClientNeedsNoRequestForWhatIsFresh() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    _ = try await world.resolver.resolve(user.id)
    await world.registrar.forgetRequests()
    #expect(try await world.restarted().resolve(user.id).user?.freshness == .fresh)
    #expect(await world.registrar.requests.isEmpty)
  }

  @Test func failuresAreTriedAgainWithGrowingPauses() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    await world.registrar.fail([.unreachable("refused"), .timedOut])
    #expect(try await world.resolver.resolve(user.id).name == "user")
    let pauses = world.clock.pauses.filter { $0 >= .milliseconds(100) }
    #expect(pauses == [.milliseconds(150), .milliseconds(300)])
  }

  @Test func aBusyRegistrarIsGivenTheTimeItAsksForOrLeftAlone() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let answers = Answers([TestRegistrar.problem(.rateLimited, retryAfter: 4), TestRegistrar.problem(.unavailable)])
    await world.registrar.lie { _, _ in answers.next() }
    #expect(try await world.resolver.resolve(user.id).name == "user")
    #expect(world.clock.pauses.contains(.seconds(4)))
    await world.registrar.lie { _, _ in TestRegistrar.problem(.unavailable, retryAfter: 3_600) }
    await world.registrar.forgetRequests()
    let stranger = try world.newUser()
    #expect(try await world.resolver.resolve(stranger.id).name == "unavailable")
    #expect(await world.registrar.requests.count == 1)
  }

  @Test func aRefusalIsNotTriedAgain() async throws {
    let world = try World()
    await world.registrar.lie { _, _ in TestRegistrar.problem(.unknownApp) }
    guard case .unavailable(let reason) = try await world.resolver.resolve(try world.newUser().id) else {
      Issue.record("a refusal must be unavailable")
      return
    }
    #expect(reason.contains("unknown-app"))
    #expect(await world.registrar.requests.count == 1)
  }

  @Test func aSilentRegistrarTimesOut() async throws {
    let world = try World()
    world.clock.letDeadlinesPass()
    await world.registrar.hold()
    let user = try world.newUser()
    #expect(try await world.resolver.resolve(user.id).name == "unavailable")
    #expect(await world.registrar.requests.count == 3)
    try await eventually("the requests are given up") { await world.registrar.cancelledCount == 3 }
  }

  @Test func cancellationGivesTheRequestUp() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    await world.registrar.hold()
    let task = Task { try await world.resolver.resolve(user.id) }
    try await eventually("the request comes") { await !world.registrar.requests.isEmpty }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    try await eventually("the transport is cancelled") { await world.registrar.cancelledCount == 1 }
    await world.registrar.release()
    #expect(try await world.resolver.resolve(user.id).name == "user")
  }

  @Test func whoStillWaitsGetsTheAnswer() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    await world.registrar.hold()
    let first = Task { try await world.resolver.resolve(user.id) }
    try await eventually("the request comes") { await world.registrar.requests.count == 1 }
    let second = Task { try await world.resolver.resolve(user.id) }
    first.cancel()
    await #expect(throws: CancellationError.self) { try await first.value }
    await world.registrar.release()
    #expect(try await second.value.name == "user")
  }

  @Test func memoryIsBounded() async throws {
    var settings = ResolverSettings()
    settings.maxHistories = 10
    let world = try World(settings: settings)
    var users: [TestUser] = []
    for _ in 0..<30 { users.append(try await world.claimedUser()) }
    #expect(try await world.resolver.resolve(Set(users.map(\.id))).values.allSatisfy { $0.name == "user" })
    await world.registrar.forgetRequests()
    // What was dropped from memory comes back from the store.
    #expect(try await world.resolver.resolve(Set(users.map(\.id))).values.allSatisfy { $0.name == "user" })
    #expect(await world.registrar.requests.isEmpty)
  }

  @Test func aTamperedStoreIsNotBelieved() async throws {
    let world = try World()
    let (user, other) = (try await world.claimedUser(), try await world.claimedUser())
    _ = try await world.resolver.resolve([user.id, other.id])
    let stored = try #require(await world.store.histories(of: [other.id], from: "one")[other.id])
    await world.store.save([user.id: stored], from: "one")
    let found = try #require(try await world.restarted().resolve(user.id).user)
    #expect(found.state.currentKey?.publicKey == user.key.verifyingKey)
  }
}

/// Answers one after the other, then none.
final class Answers: Sendable {
  private let left: Mutex<[RegistryAnswer]>

  init(_ answers: [RegistryAnswer]) { left = Mutex(answers) }

  func next() -> RegistryAnswer? { left.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}
