import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

struct VerifierTests {
  private func verifier(_ world: World) -> ObjectVerifier {
    ObjectVerifier(signers: world.resolver, clock: world.clock)
  }

  private func text(_ object: JSONObject) -> UnverifiedObject { UnverifiedObject(JSONValue.object(object).text) }

  @Test func aBatchKeepsItsOrderAndIsLookedUpInOneGo() async throws {
    let world = try World()
    var users: [TestUser] = []
    for _ in 0..<20 { users.append(try await world.claimedUser()) }
    let stranger = try world.newUser()
    let now = world.clock.now()
    var objects: [UnverifiedObject] = []
    var expected: [ObjectJudgment.Verdict] = []
    for number in 0..<1_000 {
      let user = users[number % users.count]
      switch number % 10 {
      case 3:
        objects.append(UnverifiedObject(stranger.note("\(number)", modified: now)))
        expected.append(.unresolved)
      case 5:
        objects.append(UnverifiedObject(user.note("\(number)", modified: now, with: stranger.key)))
        expected.append(.invalid)
      case 7:
        var tampered = user.note("\(number)", modified: now)
        tampered.replace(Array("Note".utf8), with: Array("Nota".utf8), maxReplacements: 1)
        objects.append(UnverifiedObject(tampered))
        expected.append(.invalid)
      case 9:
        objects.append(UnverifiedObject(Array("{\"id\":".utf8)))
        expected.append(.invalid)
      default:
        objects.append(UnverifiedObject(user.note("\(number)", modified: now)))
        expected.append(.valid)
      }
    }
    let judgments = try await verifier(world).verify(objects)
    #expect(judgments.map(\.verdict) == expected)
    #expect(judgments[42].id == "note-42" && judgments[42].isBound == true && !judgments[42].isUnconfirmed)
    #expect(judgments[42].key == users[2].key.verifyingKey)
    #expect(judgments[3].awaited == stranger.id)
    #expect(await world.registrar.requests.filter { $0.method == .post }.count == 1)
  }

  @Test func nothingVouchesForItself() async throws {
    let world = try World()
    let user = try world.newUser()
    let own = user.userObject(modified: world.clock.now())
    let judgments = try await verifier(world).verify([
      text(own), text(own.omitting(["signer"])), UnverifiedObject(Array("7".utf8)),
      UnverifiedObject(Array(#"{"signer":"nobody"}"#.utf8)),
    ])
    #expect(judgments.map(\.verdict) == [.unresolved, .invalid, .invalid, .unresolved])
    #expect(judgments[3].awaited == nil, "what is no user id will never be claimed")
  }

  @Test func keysThatEnded() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let old = user.key
    let before = user.note("before", modified: world.clock.now())
    try await world.rotate(&user)
    let end = try await world.head(of: user).modified
    let objects = [
      before, user.note("in time", modified: end + World.day - 1, with: old),
      user.note("too late", modified: end + World.day, with: old), user.note("new", modified: end + World.day),
      JSONValue.object(user.sign(["id": "x"], with: old)).text,
    ]
    let judgments = try await verifier(world).verify(objects.map { UnverifiedObject($0) })
    #expect(judgments.map(\.verdict) == [.valid, .valid, .invalid, .valid, .invalid])
  }

  @Test func compromisedKeysMakeSuspectsUnlessSomethingShowsTheAge() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let object = user.note("a", modified: world.clock.now())
    world.clock.advance(by: World.hour)
    let stolen = world.clock.now()
    world.clock.advance(by: World.hour)
    let head = try await world.head(of: user)
    try await world.registrar.submit(
      user.recover(after: head, at: world.clock.now(), reason: .compromised, compromised: stolen))
    let evidence = [
      ObjectEvidence(), ObjectEvidence(receipt: stolen), ObjectEvidence(receipt: stolen - 1),
      ObjectEvidence(seen: stolen - 1), ObjectEvidence(isAdopted: true),
    ]
    let judgments = try await verifier(world).verify(evidence.map { UnverifiedObject(object, evidence: $0) })
    #expect(judgments.map(\.verdict) == [.suspect, .suspect, .valid, .valid, .valid])
  }

  @Test func voidKeysSignNothing() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let claim = try await world.head(of: user)
    world.clock.advance(by: World.hour)
    let stolen = world.clock.now()
    // The thief rotates to a key of their own.
    var thief = user
    try await world.registrar.submit(thief.rotate(after: claim, at: stolen + 1))
    world.clock.advance(by: World.hour)
    let head = try await world.head(of: user)
    try await world.registrar.submit(
      user.recover(after: head, at: world.clock.now(), reason: .compromised, compromised: stolen))
    let judgments = try await verifier(world).verify([
      UnverifiedObject(thief.note("a", modified: world.clock.now())),
      text(thief.userObject(modified: world.clock.now())),
      UnverifiedObject(user.note("a", modified: world.clock.now())),
      text(user.userObject(modified: world.clock.now(), naming: thief.key)),
    ])
    #expect(judgments.map(\.verdict) == [.invalid, .invalid, .valid, .conflict])
  }

  @Test func aUserObjectTeachesNoKey() async throws {
    let world = try World()
    var user = try await world.claimedUser()
    let other = try await world.claimedUser()
    let now = world.clock.now()
    let strange = SigningKey.generate()
    let own = user.userObject(modified: now)
    let pairs = PeerstackEncoding.encodePairs(user.key.verifyingKey.bytes)
    func signed(_ name: JSONString, _ value: JSONValue) -> UnverifiedObject {
      text(user.sign(own.setting(name, to: value)))
    }
    let judgments = try await verifier(world).verify([
      text(own), text(user.userObject(modified: now, naming: strange)),
      signed("publicBoxKey", .text(Base64.encode(strange.boxKey.publicKey.bytes32))),
      signed("publicKey", .text(pairs)), signed("publicKey", 7), signed("publicKey", "AAAA"),
      text(user.sign(own.omitting(["publicKey", "publicBoxKey"]))),
      // Somebody else's user object, well signed by this user.
      text(user.sign(other.userObject(modified: now))),
      signed("id", .text(try world.newUser().id.text)), signed("id", "x"),
    ])
    #expect(
      judgments.map(\.verdict) == [
        .valid, .conflict, .conflict, .valid, .conflict, .conflict, .valid, .valid, .unresolved, .invalid,
      ])
    #expect(judgments[1].conflict?.kind == .userKeys)
    // An earlier key is the user's own still.
    let old = user.key
    try await world.rotate(&user)
    world.letItGetStale()
    let after = try await verifier(world).verify([
      text(user.userObject(modified: world.clock.now(), naming: old)),
      text(user.userObject(modified: world.clock.now())),
    ])
    #expect(after.map(\.verdict) == [.valid, .valid])
  }

  @Test func cancellationCancels() async throws {
    let world = try World()
    let user = try await world.claimedUser()
    await world.registrar.hold()
    let verifier = verifier(world)
    let object = UnverifiedObject(user.note("a", modified: world.clock.now()))
    let task = Task { try await verifier.verify([object]) }
    try await eventually("the request comes") { await !world.registrar.requests.isEmpty }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }
}

struct QuarantineTests {
  private func quarantine(_ world: World, limits: QuarantineLimits = QuarantineLimits()) -> Quarantine {
    Quarantine(signers: world.resolver, store: world.store, limits: limits, clock: world.clock)
  }

  @Test func whatWaitsIsHandedBackWhenAKeyArrives() async throws {
    let world = try World()
    let user = try world.newUser()
    let quarantine = quarantine(world)
    let texts = [
      user.note("good", modified: world.clock.now()),
      user.note("bad", modified: world.clock.now(), with: SigningKey.generate()),
    ]
    let result = try await quarantine.verify(texts.map { UnverifiedObject($0) })
    #expect(result.judgments.map(\.verdict) == [.unresolved, .unresolved] && result.dropped == 0)
    #expect(await world.store.quarantinedSigners() == [user.id])
    let following = Task { try await quarantine.run() }
    let reading = Task {
      var released: [ReleasedObject] = []
      for try await object in quarantine.released {
        released.append(object)
        if released.count == 2 { break }
      }
      return released
    }
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    world.clock.advance(by: World.minute)
    // Until `run` has asked for changes, a look-up tells nobody; the next does.
    try await eventually("the objects are judged again") {
      try await quarantine.retryAll()
      return await world.store.quarantined(by: [user.id]).count <= 1
    }
    let released = try await reading.value
    #expect(Set(released.map(\.text)) == Set(texts))
    #expect(released.first { $0.text == texts[0] }?.judgment.verdict == .valid)
    #expect(released.first { $0.text == texts[1] }?.judgment.verdict == .invalid)
    following.cancel()
  }

  @Test func aLookUpByAnybodyWakesWhatWaits() async throws {
    let world = try World()
    let user = try world.newUser()
    let quarantine = quarantine(world)
    _ = try await quarantine.verify([UnverifiedObject(user.note("a", modified: world.clock.now()))])
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    let changes = await world.resolver.changes()
    world.clock.advance(by: World.minute)
    _ = try await world.resolver.resolve(user.id)
    var iterator = changes.makeAsyncIterator()
    let changed = try #require(await iterator.next())
    #expect(changed == [user.id])
    try await quarantine.retry(changed)
    var released = quarantine.released.makeAsyncIterator()
    #expect(try await released.next()?.judgment.verdict == .valid)
  }

  @Test func whatWasNotDoneWithComesAgain() async throws {
    let world = try World()
    let user = try world.newUser()
    let first = quarantine(world)
    _ = try await first.verify([UnverifiedObject(user.note("a", modified: world.clock.now()))])
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    world.clock.advance(by: World.minute)
    try await first.retryAll()
    var reader = first.released.makeAsyncIterator()
    #expect(try await reader.next() != nil)
    // The reader gives up without asking for more; so does the process.
    var again = first.released.makeAsyncIterator()
    #expect(try await again.next() != nil)
    let second = quarantine(world)
    try await second.retryAll()
    var last = second.released.makeAsyncIterator()
    #expect(try await last.next() != nil)
    let waiting = Task { [last] in
      var last = last
      return try await last.next() == nil
    }
    try await eventually("the object is done with") { await world.store.quarantinedSigners().isEmpty }
    waiting.cancel()
    #expect(try await waiting.value)
  }

  /// For a program that asks once and ends.
  @Test func whatIsJudgedAgainStaysUntilItIsReleased() async throws {
    let world = try World()
    let (user, stranger) = (try world.newUser(), try world.newUser())
    let quarantine = quarantine(world)
    let texts = [user.note("a", modified: world.clock.now()), stranger.note("b", modified: world.clock.now())]
    _ = try await quarantine.verify(texts.map { UnverifiedObject($0) })
    #expect(try await quarantine.judgeAgain([user.id, stranger.id], .always).isEmpty)
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    for _ in 0..<2 {
      let judged = try await quarantine.judgeAgain([user.id, stranger.id], .always)
      #expect(judged.map(\.text) == [texts[0]] && judged.map(\.signer) == [user.id])
      #expect(judged.first?.judgment.verdict == .valid)
      #expect(await world.store.quarantinedSigners() == [user.id, stranger.id])
    }
    try await quarantine.release(try await quarantine.judgeAgain([user.id], .always))
    #expect(await world.store.quarantinedSigners() == [stranger.id])
  }

  @Test func whatCameBeforeATheftWasSeenBeforeIt() async throws {
    let world = try World()
    var user = try world.newUser()
    let quarantine = quarantine(world)
    let old = user.key
    _ = try await quarantine.verify([UnverifiedObject(user.note("a", modified: world.clock.now()))])
    try await world.registrar.submit(user.claim(at: world.clock.now()))
    let claim = try await world.head(of: user)
    world.clock.advance(by: World.hour)
    let stolen = world.clock.now()
    world.clock.advance(by: World.hour)
    try await world.registrar.submit(
      user.recover(after: claim, at: world.clock.now(), reason: .compromised, compromised: stolen))
    _ = try await quarantine.verify([
      UnverifiedObject(user.note("b", modified: world.clock.now(), with: old))
    ])
    try await quarantine.retryAll()
    var released = quarantine.released.makeAsyncIterator()
    #expect(try await released.next()?.judgment.verdict == .valid)
  }

  @Test func itIsBounded() async throws {
    let world = try World()
    let limits = QuarantineLimits(count: 10, bytes: 1 << 20, countPerSigner: 10, age: World.day)
    let quarantine = quarantine(world, limits: limits)
    let user = try world.newUser()
    var dropped = 0
    for number in 0..<25 {
      world.clock.advance(by: 1)
      let object = UnverifiedObject(user.note("\(number)", modified: world.clock.now()))
      dropped += try await quarantine.verify([object]).dropped
    }
    #expect(dropped == 15)
    #expect(await world.store.quarantined(by: [user.id]).count == 10)
  }
}
