import KeyRecords
import RegistryClient
import RegistryTestKit
import Testing

@testable import Contacts

struct SafetyTextTests {
  private func compare(_ number: SafetyNumber, _ text: String) throws -> SafetyComparison {
    try number.compare(scanned: Array(text.utf8))
  }

  @Test func whoeverIsBehindIsTold() async throws {
    let world = try World()
    var (alice, bob) = (try await world.user(), try await world.user())
    let aliceEarly = try await world.state(alice)
    let bobEarly = try await world.state(bob)
    try await world.rotate(&alice)
    let aliceNow = try await world.state(alice)
    try await world.rotate(&bob)
    let bobNow = try await world.state(bob)
    let now = try SafetyNumber(aliceNow, bobNow)
    #expect(try compare(now, now.text) == .same)
    #expect(try compare(now, now.text.lowercased() + "\n") == .same)
    #expect(try compare(now, SafetyNumber(aliceEarly, bobNow).text) == .theyAreBehind(alice.id))
    #expect(try compare(SafetyNumber(aliceEarly, bobNow), now.text) == .weAreBehind(alice.id))
    #expect(
      try compare(SafetyNumber(aliceEarly, bobNow), SafetyNumber(aliceNow, bobEarly).text) == .weAreBehind(alice.id))
  }

  @Test func recordsThatLeaveTheNumberAsItIsDoNotMatter() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let early = try SafetyNumber(await world.state(alice), await world.state(bob))
    try await world.amend(alice)
    let now = try SafetyNumber(await world.state(alice), await world.state(bob))
    #expect(early.text != now.text)
    #expect(try compare(early, now.text) == .same)
    #expect(try compare(now, early.text) == .same)
  }

  /// A registrar that shows each of two people another history of a user whose key it has.
  @Test func aForkIsSeen() async throws {
    let world = try World()
    var alice = try await world.user()
    let bob = try await world.user()
    var thief = alice
    let before = await world.registrar.history(of: alice.id)
    try await world.rotate(&alice)
    let shown = try SafetyNumber(await world.state(alice), await world.state(bob))
    try await world.rotate(&alice)
    let later = try SafetyNumber(await world.state(alice), await world.state(bob))
    await world.registrar.replace(alice.id, with: before)
    try await world.resolver.forget(alice.id)
    try await world.rotate(&thief)
    let forked = try SafetyNumber(await world.state(thief), await world.state(bob))
    #expect(try compare(shown, forked.text) == .different([alice.id]))
    #expect(try compare(later, forked.text) == .different([alice.id]))
    #expect(try compare(forked, shown.text) == .different([alice.id]))
    #expect(try compare(forked, later.text) == .weAreBehind(alice.id), "it proves nothing, and nothing is taken for it")
    #expect(shown.compare(digits: forked.digits) == .different([alice.id]))
  }

  @Test func anotherFirstRecordIsSeenWhateverComesAfter() async throws {
    let world = try World(rules: { PolicyRules(admins: $0, boundSince: nil) })
    let bob = try await world.user()
    let id = "00mjuohs00aaaaaaaaaaaaaaa"
    var numbers: [SafetyNumber] = []
    for rotations in [0, 2] {
      var alice = try #require(TestUser(unbound: id, app: world.app))
      try await world.registrar.submit(alice.claim(at: world.clock.now()))
      for _ in 0..<rotations { try await world.rotate(&alice) }
      numbers.append(try SafetyNumber(await world.state(alice), await world.state(bob)))
      await world.registrar.forget(alice.id)
      try await world.resolver.forget(alice.id)
    }
    #expect(try compare(numbers[0], numbers[1].text) == .different([try #require(UserID(id))]))
    #expect(try compare(numbers[1], numbers[0].text) == .different([try #require(UserID(id))]))
  }

  @Test func textsOfOthersAreRefused() async throws {
    let world = try World()
    let forum = try World(app: "forum.example")
    let (alice, bob, carol) = (try await world.user(), try await world.user(), try await world.user())
    let number = try SafetyNumber(await world.state(alice), await world.state(bob))
    let other = try SafetyNumber(await world.state(alice), await world.state(carol)).text
    #expect(throws: SafetyTextFault.otherPeople) { try compare(number, other) }
    let elsewhere = try SafetyNumber(
      await forum.state(try await forum.user()), await forum.state(try await forum.user())
    ).text
    #expect(throws: SafetyTextFault.otherApp(forum.app)) { try compare(number, elsewhere) }
  }

  @Test func damagedTextsAreRefused() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let number = try SafetyNumber(await world.state(alice), await world.state(bob))
    let text = number.text
    #expect(text.utf8.allSatisfy { Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8).contains($0) })
    for count in 0..<text.utf8.count {
      #expect(throws: SafetyTextFault.self) { try compare(number, String(text.prefix(count))) }
    }
    #expect(throws: SafetyTextFault.laterVersion) {
      try compare(number, text.replacing("SAFETY:1:", with: "SAFETY:2:"))
    }
    let people = text.split(separator: ":").suffix(2)
    for bad in [
      text + "A", text + ":A", text.replacing(".0.", with: ".00."), text.replacing(".0.", with: ".-0."),
      text.replacing(".0.", with: ".٠."), "x" + text,
      "PEERKEY:SAFETY:1:CHAT.EXAMPLE:\(people.reversed().joined(separator: ":"))",
      "PEERKEY:SAFETY:1:CHAT.EXAMPLE:\(people[people.startIndex]):\(people[people.startIndex])",
      String(repeating: "A", count: 1_000),
    ] {
      #expect(throws: SafetyTextFault.noSafetyText, "\(bad)") { try compare(number, bad) }
    }
  }

  /// Whatever is changed in what the other side shows, it is not taken for the same.
  @Test func noChangedCharacterIsTakenForTheSame() async throws {
    let world = try World()
    var alice = try await world.user()
    try await world.rotate(&alice)
    let bob = try await world.user()
    let number = try SafetyNumber(await world.state(alice), await world.state(bob))
    let text = Array(number.text.utf8)
    for place in text.indices {
      for character in "A0B1.:".utf8 where character != text[place] {
        var changed = text
        changed[place] = character
        #expect((try? number.compare(scanned: changed)) != .same, "character \(place)")
      }
    }
  }
}
