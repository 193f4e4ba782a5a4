import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryTestKit
import Testing

/// A registrar that lies: every lie is refused, with the right verdict.
struct LyingRegistrarTests {
  /// A user with three records, of whom the client knows nothing.
  private func veteran(_ world: World) async throws -> TestUser {
    var user = try await world.claimedUser()
    for _ in 0..<2 { try await world.rotate(&user) }
    return user
  }

  private func verdict(_ lie: @escaping TestRegistrar.Lie) async throws -> (resolution: String, object: String) {
    let world = try World()
    let user = try await veteran(world)
    await world.registrar.lie(lie)
    let resolution = try await world.resolver.resolve(user.id).name
    let verifier = ObjectVerifier(signers: world.resolver, clock: world.clock)
    let object = try await verifier.verify(UnverifiedObject(user.note("a", modified: world.clock.now())))
    // Whatever was refused must leave no trace.
    await world.registrar.lie(nil)
    world.letItGetStale()
    #expect(try await world.resolver.resolve(user.id).name == "user", "honest again")
    return (resolution, object.verdict.rawValue)
  }

  @Test(arguments: RegistrarLie.againstTheRules + [RegistrarLie.fromTheFuture] + RegistrarLie.noAnswers)
  func everyLieIsRefused(lie: RegistrarLie) async throws {
    let (resolution, object) = try await verdict(lie.lie)
    #expect(resolution == lie.resolution)
    #expect(object == lie.object)
  }

  @Test func hugeAnswersAreNotAskedForAgain() async throws {
    let world = try World()
    let user = try world.newUser()
    await world.registrar.lie { _, _ in RegistryAnswer(status: 200, body: [UInt8](repeating: 0x20, count: 16 << 20)) }
    #expect(try await world.resolver.resolve(user.id).name == "unavailable")
    #expect(await world.registrar.requests.count == 1)
  }

  @Test func swappedUsers() async throws {
    let world = try World()
    let (one, two) = (try await world.claimedUser(), try await world.claimedUser())
    await world.registrar.lie(RegistrarLie.swappedUsers)
    let found = try await world.resolver.resolve([one.id, two.id])
    #expect(found.values.map(\.name) == ["conflict rules", "conflict rules"])
    #expect(found[one.id]?.conflict?.evidence.contains { !$0.entries.isEmpty } == true)
  }

  @Test func usersThatShareAnIndex() async throws {
    let world = try World()
    let (one, two, three) = (
      try await world.claimedUser(), try await world.claimedUser(), try await world.claimedUser()
    )
    await world.registrar.lie(
      RegistrarLie.bending { bent in
        for place in bent.users.indices where bent.users[place].id.string == two.id.text {
          bent.users[place].entries[0] = RegistrarLie.setting(bent.users[place].entries[0], "index", 1)
        }
      })
    let found = try await world.resolver.resolve([one.id, two.id, three.id])
    #expect(found[one.id]?.name == "conflict rules")
    #expect(found[two.id]?.name == "conflict rules")
    #expect(found[three.id]?.name == "user")
  }

  @Test func anotherApp() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let otherApp = try #require(AppID("other.example"))
    let other = try #require(TestRegistrar(app: otherApp, clock: world.clock))
    let elsewhere = try #require(TestUser(app: otherApp, created: world.clock.now()))
    try await other.submit(elsewhere.claim(at: world.clock.now()))
    let entry = try JSONValue.parseStrict(try #require(await other.entries(of: elsewhere.id).first).text)
    await world.registrar.lie(
      RegistrarLie.bending { bent in if !bent.users.isEmpty { bent.users[0].entries = [entry] } })
    #expect(try await world.resolver.resolve(user.id).name == "conflict rules")
  }

  @Test func policiesOfAnotherApp() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let otherApp = try #require(AppID("other.example"))
    let other = try #require(TestRegistrar(app: otherApp, clock: world.clock))
    let chain = await other.policyChain().entries
    let body = Array("{\"entries\":[".utf8) + (chain.first?.text ?? []) + Array("]}".utf8)
    await world.registrar.lie { request, _ in request.method == .get ? RegistryAnswer(status: 200, body: body) : nil }
    #expect(try await world.resolver.resolve(user.id).name == "conflict policy")
  }

  // MARK: Against what was known before

  /// Known and pinned: with the history in memory, from the store, or with nothing but the pin left.
  enum Memory: CaseIterable {
    case memory, store, pinAlone
  }

  private func client(_ world: World, _ memory: Memory, knowing user: TestUser) async throws -> Resolver {
    _ = try await world.resolver.resolve(user.id)
    switch memory {
    case .memory: return world.resolver
    case .store: return world.restarted()
    case .pinAlone:
      let nothing = StoredHistory(entries: [], asOf: AsOf(index: 0, time: 0), checked: 0)
      await world.store.save([user.id: nothing], from: "one")
      return world.restarted()
    }
  }

  private func expectRollback(
    _ memory: Memory, _ betray: (World, inout TestUser) async throws -> Void,
    comment: Comment? = nil
  ) async throws {
    let world = try World()
    var user = try await veteran(world)
    let client = try await client(world, memory, knowing: user)
    let pin = try await client.pin(of: user.id)
    let honest = await world.registrar.history(of: user.id)
    try await betray(world, &user)
    world.letItGetStale()
    let resolution = try await client.resolve(user.id)
    #expect(resolution.name == "conflict rollback", comment)
    #expect(resolution.conflict?.evidence.isEmpty == false)
    #expect(try await client.pin(of: user.id) == pin, "a conflict moves no pin")
    let verifier = ObjectVerifier(signers: client, clock: world.clock)
    let object = try await verifier.verify(UnverifiedObject(user.note("a", modified: world.clock.now())))
    #expect(object.verdict == .conflict)
    await world.registrar.replace(user.id, with: honest)
    world.letItGetStale()
    #expect(try await client.resolve(user.id).name == "user", "nothing of the lie was kept")
  }

  @Test(arguments: Memory.allCases) func rollback(memory: Memory) async throws {
    try await expectRollback(memory) { world, user in
      let history = await world.registrar.history(of: user.id)
      await world.registrar.replace(user.id, with: history?.prefix(throughIndex: 2))
    }
  }

  @Test(arguments: Memory.allCases) func userForgotten(memory: Memory) async throws {
    try await expectRollback(memory) { world, user in await world.registrar.forget(user.id) }
  }

  @Test(arguments: Memory.allCases) func fork(memory: Memory) async throws {
    try await expectRollback(memory) { world, user in
      let history = await world.registrar.history(of: user.id)
      await world.registrar.replace(user.id, with: history?.prefix(throughIndex: 2))
      let head = try await world.head(of: user)
      // A thief of paper signs another record at the same place.
      world.clock.advance(by: World.minute)
      try await world.registrar.submit(user.recover(after: head, at: world.clock.now()))
    }
  }

  /// No pin covers a record that is only pending: what was seen of it must stay all the same.
  @Test func aPendingRecordThatVanishes() async throws {
    let world = try World()
    var user = try await world.claimedUser(hasRegistrarTier: true)
    let head = try await world.head(of: user)
    let before = await world.registrar.history(of: user.id)
    try await world.registrar.submit(
      user.recover(after: head, at: world.clock.now(), by: world.registrar.admin, incarnation: 1))
    #expect(try await world.resolver.resolve(user.id).user?.state.pending != nil)
    await world.registrar.replace(user.id, with: before)
    for client in [world.resolver, world.restarted()] {
      world.letItGetStale()
      #expect(try await client.resolve(user.id).name == "conflict rollback")
    }
  }

  @Test func aConflictEndsWhenTheRegistrarIsHonestAgain() async throws {
    let world = try World()
    let user = try await veteran(world)
    _ = try await world.resolver.resolve(user.id)
    let history = await world.registrar.history(of: user.id)
    await world.registrar.forget(user.id)
    world.letItGetStale()
    #expect(try await world.resolver.resolve(user.id).name == "conflict rollback")
    await world.registrar.replace(user.id, with: history)
    world.clock.advance(by: 5_000)
    #expect(try await world.resolver.resolve(user.id).name == "user")
  }

  @Test func aBackdatedNewEntry() async throws {
    for memory in [Memory.memory, .pinAlone] {
      let world = try World()
      var user = try await world.claimedUser()
      let head = try await world.head(of: user)
      world.clock.advance(by: World.hour)
      let client = try await client(world, memory, knowing: user)
      // Signed and "accepted" before the last look, yet never shown then.
      let before = world.clock.now() - 30 * World.minute
      let text = user.rotate(after: head, at: before)
      let submission = try Submission.verify(text, app: world.app).get()
      let entry = Entry(index: 2, accepted: before, effective: before, rank: 1, content: submission)
      var history = try #require(await world.registrar.history(of: user.id))
      history.append(entry, under: try #require(await world.registrar.policyChain().current).rules)
      await world.registrar.replace(user.id, with: history)
      await world.registrar.lie(RegistrarLie.bending { $0.asOf = $0.asOf.setting("index", to: 2) })
      world.letItGetStale()
      #expect(try await client.resolve(user.id).name == "conflict time")
    }
  }

  @Test func policiesRolledBack() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let first = await world.registrar.policyChain()
    let current = try #require(first.current)
    world.clock.advance(by: World.minute)
    let draft = current.rules.draft(app: world.app, after: current, now: world.clock.now())
    let admin = world.registrar.admin
    try await world.registrar.submit(try #require(draft.signed(approvedBy: [admin])))
    _ = try await world.claimedUser()
    _ = try await world.resolver.resolve(user.id)
    let old = Array("{\"entries\":[".utf8) + (first.entries.first?.text ?? []) + Array("]}".utf8)
    await world.registrar.lie { request, _ in request.method == .get ? RegistryAnswer(status: 200, body: old) : nil }
    let newcomer = try await world.claimedUser()
    for client in [world.resolver, world.restarted()] {
      let resolution = try await client.resolve(newcomer.id)
      #expect(resolution.name == "conflict policy")
      #expect(resolution.conflict?.evidence.count == 2)
    }
  }

  @Test func theFirstPolicyMustBeTheOneTheAppWasGiven() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    let hash = try #require(await world.registrar.policyChain().current).hash
    let right = world.restarted(store: MemoryStore(), firstPolicy: hash)
    #expect(try await right.resolve(user.id).name == "user")
    let wrong = world.restarted(store: MemoryStore(), firstPolicy: RecordHash(of: []))
    #expect(try await wrong.resolve(user.id).name == "conflict policy")
    // Nor does a store that was filled without the hash help.
    _ = try await world.resolver.resolve(user.id)
    #expect(try await world.restarted(firstPolicy: RecordHash(of: [])).resolve(user.id).name == "conflict policy")
  }

  /// Whatever byte is damaged: what is believed is the truth, or nothing is.
  @Test func damagedAnswers() async throws {
    let world = try World()
    let user = try await veteran(world)
    let honest = try #require(try await world.resolver.resolve(user.id).user).state.json
    for seed in 0..<400 {
      let damage: TestRegistrar.Lie = { request, answer in
        guard !answer.body.isEmpty, (request.method == .post) == (seed % 4 != 0) else { return nil }
        var bent = answer
        let place = (seed &* 2_654_435_761) % answer.body.count
        bent.body[place] = seed % 3 == 0 ? bent.body[place] ^ 1 : UInt8(truncatingIfNeeded: 0x20 + seed % 95)
        return bent
      }
      await world.registrar.lie(damage)
      let resolution = try await world.restarted(store: MemoryStore()).resolve(user.id)
      if let state = resolution.user?.state.json { #expect(state == honest, "seed \(seed)") }
    }
  }
}
