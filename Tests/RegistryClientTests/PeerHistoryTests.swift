import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

struct PeerHistoryTests {
  private func text(_ world: World, _ user: TestUser, policies: Bool = false) async throws -> PeerHistory {
    let entries = await world.registrar.entries(of: user.id).map(\.text).joined(separator: [UInt8(ascii: ",")])
    let chain = await world.registrar.policyChain().entries.map(\.text).joined(separator: [UInt8(ascii: ",")])
    let tail = policies ? Array("],\"policies\":[".utf8) + chain : []
    return try #require(PeerHistory(Array("{\"entries\":[".utf8) + entries + tail + Array("]}".utf8)))
  }

  /// A client that knows the policies, and then nobody to ask.
  private func offline(_ world: World) async throws {
    _ = try await world.resolver.resolve(try world.newUser().id)
    await world.registrar.fail(Array(repeating: .unreachable("away"), count: 1_000))
    world.clock.advance(by: World.minute)
  }

  @Test func itServesWhileNobodyCanBeAskedAndIsMarked() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let offered = try await text(world, user)
    try await offline(world)
    #expect(try await world.resolver.resolve(user.id).name == "unavailable")
    let considered = try #require(await world.resolver.consider(offered).user)
    #expect(!considered.isConfirmed && considered.pin == nil && considered.registrar == nil && considered.isBound)
    let verifier = ObjectVerifier(signers: world.resolver, clock: world.clock)
    let judgment = try await verifier.verify(UnverifiedObject(user.note("a", modified: world.clock.now())))
    #expect(judgment.verdict == .valid && judgment.isUnconfirmed)
    #expect(try await world.resolver.pin(of: user.id) == nil, "it sets no pin")
    await world.registrar.fail([])
    world.clock.advance(by: World.minute)
    let confirmed = try await verifier.verify(UnverifiedObject(user.note("a", modified: world.clock.now())))
    #expect(confirmed.verdict == .valid && !confirmed.isUnconfirmed)
  }

  @Test func noDelayedRecordTakesEffectAndNothingBuildsOnOne() async throws {
    let world = try World()
    var user = try await world.claimedUser(paperDelay: World.day)
    let first = user.key
    let head = try await world.head(of: user)
    try await world.registrar.submit(user.recover(after: head, at: world.clock.now()))
    world.clock.advance(by: 2 * World.day)
    try await world.rotate(&user)
    let offered = try await text(world, user)
    try await offline(world)
    let considered = try #require(await world.resolver.consider(offered).user)
    #expect(considered.judged.history.entries.count == 2)
    #expect(considered.state.currentKey?.publicKey == first.verifyingKey)
    #expect(considered.state.pending != nil)
  }

  @Test func withoutPoliciesNothingCanBeJudged() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let bare = try await text(world, user)
    let full = try await text(world, user, policies: true)
    await world.registrar.fail(Array(repeating: .unreachable("away"), count: 1_000))
    let hash = try #require(await world.registrar.policyChain().current).hash
    #expect(await world.resolver.consider(bare).name == "unavailable")
    #expect(await world.resolver.consider(full).name == "unavailable", "anybody can make a policy chain")
    let knowing = world.restarted(firstPolicy: hash)
    #expect(await knowing.consider(full).name == "user")
    #expect(await world.restarted(firstPolicy: RecordHash(of: [])).consider(full).name == "conflict policy")
  }

  @Test func whatContradictsThePinIsAConflict() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let early = try await text(world, user)
    try await world.rotate(&user)
    let pin = try #require(try await world.resolver.resolve(user.id).user?.pin)
    #expect(await world.resolver.consider(early).name == "conflict rollback")
    try await world.rotate(&user)
    let later = try #require(await world.resolver.consider(try await text(world, user)).user)
    #expect(later.state.head.sequence == 2 && !later.isConfirmed)
    #expect(try await world.resolver.pin(of: user.id) == pin, "it moves no pin")
  }

  @Test func liesAreRefused() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    try await world.rotate(&user)
    let entries = await world.registrar.entries(of: user.id)
    _ = try await world.resolver.resolve(try world.newUser().id)
    func consider(_ entries: [[UInt8]]) async throws -> String {
      let text = Array("{\"entries\":[".utf8) + entries.joined(separator: [UInt8(ascii: ",")]) + Array("]}".utf8)
      return await world.resolver.consider(try #require(PeerHistory(text))).name
    }
    #expect(try await consider(entries.reversed().map(\.text)) == "conflict rules")
    #expect(try await consider([entries[1].text]) == "conflict rules")
    #expect(try await consider([entries[0].text, entries[0].text]) == "conflict rules")
    let future = Entry(
      index: 1, accepted: world.clock.now() + World.hour, effective: world.clock.now() + World.hour, rank: nil,
      content: entries[0].content)
    #expect(try await consider([future.text]) == "conflict time")
    #expect(PeerHistory(Array("{}".utf8)) == nil)
    #expect(PeerHistory([]) == nil)
  }

  @Test func anUnboundHistoryOfAnIDThatRegistrarsDoNotKnowIsWorthNothing() async throws {
    let world = try World(rules: { PolicyRules(admins: $0, boundSince: nil) })
    let impostor = try #require(TestUser(unbound: "00mjuohs00aaaaaaaaaaaaaaa", app: world.app))
    try await world.registrar.submit(impostor.claim(at: world.clock.now()))
    let offered = try await text(world, impostor)
    await world.registrar.forget(impostor.id)
    _ = try await world.resolver.resolve(impostor.id)
    _ = await world.resolver.consider(offered)
    #expect(try await world.resolver.resolve(impostor.id).name == "unknown")
  }

  @Test func whatIsPassedOnCanBeRead() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let known = try #require(try await world.resolver.resolve(user.id).user)
    let passed = PeerHistory.text(of: known.judged, policies: await world.resolver.policies(of: "one"))
    let hash = try #require(await world.registrar.policyChain().current).hash
    let other = world.restarted(store: MemoryStore(), firstPolicy: hash)
    let offered = try #require(PeerHistory(passed))
    let received = try #require(await other.consider(offered).user)
    #expect(received.state.json == known.state.json)
  }
}
