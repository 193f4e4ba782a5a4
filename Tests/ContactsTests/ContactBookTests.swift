import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

@testable import Contacts

struct ContactBookTests {
  /// Somebody who has no registrar: a store and a book of their own.
  private struct Friend {
    let store = MemoryStore()
    let contacts = MemoryContactStore()
    let world: World

    var book: ContactBook { ContactBook(app: world.app, store: store, contacts: contacts) }

    func add(
      _ card: ContactCard, verified: Bool = false, known: JudgedHistory? = nil
    ) async throws(ContactFault) -> AddedContact {
      try await book.add(card, isVerified: verified, known: known, now: world.clock.now())
    }

    func pin(_ user: TestUser) async -> Pin? { await store.pins(of: [user.id])[user.id] }

    /// Meets the registrar later.
    func resolve(_ user: TestUser) async throws -> Resolution {
      let resolver = Resolver(
        app: world.app, registrars: [Registrar(name: "one", transport: world.registrar)], store: store,
        clock: world.clock, random: { 0.5 })
      return try await resolver.resolve(user.id, .always)
    }

    func fault(_ card: ContactCard, verified: Bool = false, known: JudgedHistory? = nil) async -> String {
      do throws(ContactFault) {
        return try await add(card, verified: verified, known: known).effect.rawValue
      } catch {
        switch error {
        case .older: return "older"
        case .conflict(let conflict): return "conflict \(conflict.kind.rawValue)"
        case .busy, .store: return "trouble"
        }
      }
    }
  }

  @Test func peoplePinEachOtherWithoutARegistrar() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let (aliceCard, bobCard) = (try await world.card(alice, name: "Alice"), try await world.card(bob, name: "Bob"))
    await world.registrar.fail(Array(repeating: .unreachable("away"), count: 1_000))
    let (atAlice, atBob) = (Friend(world: world), Friend(world: world))
    let added = try await atAlice.add(try world.read(bobCard.text), verified: true)
    #expect(added.effect == .pinned && added.pin.trust == .verified && added.pin.registrar == Pin.handSource)
    #expect(added.contact.name.text == "Bob" && added.pin.head == bobCard.identity.head)
    #expect(try await atBob.add(try world.read(aliceCard.line)).pin.trust == .unverified)
    let number = try SafetyNumber(aliceCard.judged.state, try world.read(bobCard.text).judged.state)
    let other = try SafetyNumber(try world.read(aliceCard.text).judged.state, bobCard.judged.state)
    #expect(number.compare(digits: other.digits) == .same)
    #expect(try await atBob.book.confirm(try world.read(aliceCard.text).judged).trust == .verified)
    #expect(await atBob.pin(alice)?.trust == .verified)
  }

  /// While nobody can be asked, and only for those whom a person has pinned.
  @Test func objectsOfContactsAreJudgedByTheirCards() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let (aliceCard, bobCard) = (try await world.card(alice), try await world.card(bob))
    await world.registrar.fail(Array(repeating: .unreachable("away"), count: 1_000))
    let friend = Friend(world: world)
    _ = try await friend.add(try world.read(aliceCard.text))
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: world.registrar)], store: friend.store,
      clock: world.clock, random: { 0.5 })
    let known = try #require(await resolver.consider(aliceCard.handed).user)
    #expect(!known.isConfirmed && known.pin?.trust == .unverified)
    #expect(await resolver.consider(bobCard.handed).user == nil)
    let verifier = ObjectVerifier(signers: resolver, clock: world.clock)
    let notes = [alice, bob].map { UnverifiedObject($0.note("a", modified: world.clock.now())) }
    let judgments = try await verifier.verify(notes)
    #expect(judgments.map(\.verdict) == [.valid, .unresolved] && judgments[0].isUnconfirmed)
    var thief = alice
    thief.key = SigningKey.generate()
    let forged = try await verifier.verify(UnverifiedObject(thief.note("b", modified: world.clock.now())))
    #expect(forged.verdict == .invalid)
  }

  @Test func aRegistrarThatIsMetLaterIsHeldToThePin() async throws {
    let world = try World()
    var alice = try await world.user()
    let friend = Friend(world: world)
    _ = try await friend.add(try await world.card(alice), verified: true)
    try await world.rotate(&alice)
    let resolved = try #require(try await friend.resolve(alice).user)
    #expect(resolved.pin?.trust == .verified && resolved.pin?.registrar == "one" && resolved.pin?.sequence == 1)
    #expect(await friend.pin(alice) == resolved.pin)
  }

  @Test func aRegistrarThatLacksThePinIsInConflict() async throws {
    let world = try World()
    var alice = try await world.user()
    let before = await world.registrar.history(of: alice.id)
    var thief = alice
    try await world.rotate(&alice)
    let friend = Friend(world: world)
    _ = try await friend.add(try await world.card(alice), verified: true)
    await world.registrar.replace(alice.id, with: before)
    #expect(try await friend.resolve(alice).conflict?.kind == .rollback)
    try await world.rotate(&thief)
    #expect(try await friend.resolve(alice).conflict?.kind == .rollback)
    await world.registrar.forget(alice.id)
    #expect(try await friend.resolve(alice).conflict?.kind == .rollback)
    #expect(await friend.pin(alice)?.registrar == Pin.handSource)
  }

  @Test func brokenContinuityDemotesAPinThatWasMadeByHand() async throws {
    let world = try World()
    var alice = try await world.user(hasRegistrarTier: true)
    let friend = Friend(world: world)
    _ = try await friend.add(try await world.card(alice), verified: true)
    let head = try await world.head(of: alice)
    let admin = world.registrar.admin
    try await world.registrar.submit(alice.recover(after: head, at: world.clock.now(), by: admin, incarnation: 1))
    world.clock.advance(by: 2 * World.day)
    #expect(try await friend.resolve(alice).user?.pin?.trust == .unverified)
    let judged = try #require(try await friend.resolve(alice).user).judged
    #expect(try await friend.book.confirm(judged).trust == .verified)
    #expect(try await friend.resolve(alice).user?.pin?.trust == .verified)
  }

  @Test func aCardMovesNoPinUnlessAPersonSaysSo() async throws {
    let world = try World()
    var alice = try await world.user()
    let friend = Friend(world: world)
    _ = try await friend.add(try await world.card(alice))
    let first = await friend.pin(alice)
    try await world.rotate(&alice)
    let newer = try await world.card(alice, name: "Alice anew")
    let added = try await friend.add(newer)
    #expect(added.effect == .newer && added.pin == first && added.contact.name.text == "Zoë Ã")
    #expect(added.contact.card?.made == newer.made)
    let verified = try await friend.add(newer, verified: true)
    #expect(verified.effect == .verified && verified.pin.sequence == 1 && verified.pin.trust == .verified)
    #expect(await friend.fault(newer, verified: true) == "unchanged")
    #expect(try await friend.resolve(alice).user?.pin?.trust == .verified)
  }

  @Test func oldCardsAndForksChangeNothing() async throws {
    let world = try World()
    var alice = try await world.user()
    let before = await world.registrar.history(of: alice.id)
    let old = try await world.card(alice)
    var thief = alice
    try await world.rotate(&alice)
    try await world.rotate(&alice)
    let friend = Friend(world: world)
    _ = try await friend.add(try await world.card(alice), verified: true)
    let pin = await friend.pin(alice)
    let known = try await world.judged(alice)
    let contact = try await friend.book.contact(alice.id)
    #expect(await friend.fault(old) == "older")
    #expect(await friend.fault(old, verified: true) == "older")
    #expect(await friend.fault(old, verified: true, known: known) == "older")
    await world.registrar.replace(alice.id, with: before)
    try await world.resolver.forget(alice.id)
    try await world.rotate(&thief)
    let short = try await world.card(thief)
    #expect(await friend.fault(short, verified: true) == "older", "nothing here tells it from an older one")
    #expect(await friend.fault(short, verified: true, known: known) == "conflict rollback")
    for _ in 0..<2 { try await world.rotate(&thief) }
    #expect(await friend.fault(try await world.card(thief), verified: true) == "conflict rollback")
    #expect(await friend.pin(alice) == pin)
    #expect(try await friend.book.contact(alice.id) == contact)
  }

  @Test func anotherIdentityOfTheSameIDIsAConflict() async throws {
    let world = try World(rules: { PolicyRules(admins: $0, boundSince: nil) })
    let friend = Friend(world: world)
    var cards: [ContactCard] = []
    for _ in 0..<2 {
      let alice = try #require(TestUser(unbound: "00mjuohs00aaaaaaaaaaaaaaa", app: world.app))
      try await world.registrar.submit(alice.claim(at: world.clock.now()))
      cards.append(try await world.card(alice))
      await world.registrar.forget(alice.id)
      try await world.resolver.forget(alice.id)
    }
    #expect(!cards[0].isBound)
    #expect(await friend.fault(cards[0], verified: true) == "pinned")
    #expect(await friend.fault(cards[1], verified: true) == "conflict rollback")
  }

  @Test func contactsAreListedInTheirOrderWithTheirPins() async throws {
    let world = try World()
    let friend = Friend(world: world)
    let (alice, bob) = (try await world.user(), try await world.user())
    let own = try ContactName("my friend")
    let card = try await world.card(alice)
    _ = try await friend.book.add(card, name: own, isVerified: false, now: world.clock.now())
    world.clock.advance(by: 1)
    _ = try await friend.add(try await world.card(bob, name: "Bob"))
    let all = try await friend.book.all()
    #expect(all.map(\.contact.name.text) == ["my friend", "Bob"])
    #expect(all.map(\.pin?.user) == [alice.id, bob.id])
    let kept = try friend.book.card(of: all[0].contact, clock: world.clock.now())
    #expect(kept?.identity == card.identity)
  }

  @Test func twoWhoAddAtOnceDoNotUndoEachOther() async throws {
    let world = try World()
    var alice = try await world.user()
    let first = try await world.card(alice)
    try await world.rotate(&alice)
    let second = try await world.card(alice)
    let friend = Friend(world: world)
    await withTaskGroup(of: Void.self) { group in
      for card in [first, second, first, second] { group.addTask { _ = await friend.fault(card, verified: true) } }
    }
    #expect(await friend.pin(alice)?.sequence == 1)
  }
}
