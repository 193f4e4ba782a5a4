import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryTestKit
import Testing

@testable import Contacts

struct SafetyNumberTests {
  @Test func bothSeeTheSameAndOthersSeeSomethingElse() async throws {
    let world = try World()
    let (alice, bob, carol) = (try await world.user(), try await world.user(), try await world.user())
    let (first, second, third) = (
      try await world.state(alice), try await world.state(bob), try await world.state(carol)
    )
    let number = try SafetyNumber(first, second)
    #expect(try SafetyNumber(second, first).digits == number.digits)
    #expect(try SafetyNumber(first, third).digits != number.digits)
    #expect(number.digits.count == 50 && number.rows.count == 2)
    #expect(number.rows.joined().filter { $0 != " " } == number.digits)
    #expect(number.rows.allSatisfy { $0.split(separator: " ").map(\.count) == [5, 5, 5, 5, 5] })
    #expect(number.users == [alice.id, bob.id].sorted())
    #expect(throws: SafetyFault.samePerson(alice.id)) { try SafetyNumber(first, first) }
  }

  /// Worked out by another program, in another language (docs/contact-card-format.md).
  @Test func theNumberIsTheOneOfTheDocument() throws {
    let app = try #require(AppID("chat.example"))
    func state(_ seed: UInt8, _ id: String) throws -> UserState {
      let key = try #require(SigningKey(seed: [UInt8](repeating: seed, count: 32)))
      let paper = try #require(SigningKey(seed: [UInt8](repeating: seed + 100, count: 32)))
      let authority = try #require(
        Authority(tiers: [.keys(name: "paper", keys: [paper.verifyingKey], threshold: 1, delay: 0), .signer]))
      let draft = RecordDraft(
        claim: try #require(UserID(id)), app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey,
        authority: authority, modified: World.start)
      let claim = try Submission.verify(draft.draft.signed(by: key), app: app).get()
      let admins = try #require(Admins(keys: [key.verifyingKey], threshold: 1))
      var history = KeyHistory(app: app, subject: try #require(claim.subject))
      history.append(
        Entry(index: 1, accepted: World.start, effective: World.start, rank: nil, content: claim),
        under: PolicyRules(admins: admins))
      return try #require(history.state(at: World.start))
    }
    let number = try SafetyNumber(
      state(1, "00mjuohs00aaaaaaaaaaaaaaa"), state(2, "00mjuohs00bbbbbbbbbbbbbbb"))
    #expect(number.rows == ["72463 43790 25131 38423 08915", "00969 32269 27754 94116 73307"])
    let (first, second) = (
      "JPZB2YMGHBKTTUQPQOUKJOM7IBBGBKQOCJUBKWR2JF4KKDEXI4ZUX4Q5MGDDQVJZ2IHYHKFEXGPUA",
      "DN3QVBS266WED3Z44626B55VEATSIU224A65K5SWC7ZHEHF3UTNRW5YKQZNPPLCB546OPNPA662SA"
    )
    let people = "00MJUOHS00AAAAAAAAAAAAAAA.0.\(first):00MJUOHS00BBBBBBBBBBBBBBB.0.\(second)"
    #expect(number.text == "PEERKEY:SAFETY:1:CHAT.EXAMPLE:\(people)")
  }

  @Test func itChangesWithTheKeyAndNotWithFriends() async throws {
    let world = try World()
    var alice = try await world.user()
    let bob = try await world.user()
    let before = try SafetyNumber(await world.state(alice), await world.state(bob)).digits
    try await world.amend(alice)
    #expect(try SafetyNumber(await world.state(alice), await world.state(bob)).digits == before)
    try await world.rotate(&alice)
    #expect(try SafetyNumber(await world.state(alice), await world.state(bob)).digits != before)
  }

  @Test func itChangesWhenContinuityIsBroken() async throws {
    let world = try World()
    var alice = try await world.user(hasRegistrarTier: true)
    let head = try await world.head(of: alice)
    let claim = try SafetyIdentity(await world.state(alice))
    let admin = world.registrar.admin
    try await world.registrar.submit(alice.recover(after: head, at: world.clock.now(), by: admin, incarnation: 1))
    world.clock.advance(by: 2 * World.day)
    let recovered = try SafetyIdentity(await world.state(alice))
    #expect(recovered.first == claim.first && recovered.began == recovered.head && claim.began == claim.head)
    try await world.rotate(&alice)
    let rotated = try SafetyIdentity(await world.state(alice))
    #expect(rotated.began == recovered.began && rotated.head != recovered.head)
    #expect(Set([claim.digits, recovered.digits, rotated.digits]).count == 3)
  }

  @Test func withoutAKeyThereIsNothingToCompare() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let head = try await world.head(of: alice)
    world.clock.advance(by: World.minute)
    try await world.registrar.submit(alice.revoke(after: head, at: world.clock.now()))
    let (locked, other) = (try await world.state(alice), try await world.state(bob))
    #expect(throws: SafetyFault.noKeyInForce(alice.id, .locked)) { try SafetyNumber(other, locked) }
  }

  @Test func numbersOfTwoAppsAreNotCompared() async throws {
    let (one, two) = (try World(), try World(app: "forum.example"))
    let (alice, bob) = (try await one.state(try await one.user()), try await two.state(try await two.user()))
    #expect(throws: SafetyFault.differentApps(one.app, two.app)) { try SafetyNumber(alice, bob) }
  }

  @Test func anEarlierNumberIsToldFromAWrongOne() async throws {
    let world = try World()
    var alice = try await world.user()
    let bob = try await world.user()
    let early = try SafetyNumber(await world.state(alice), await world.state(bob))
    for _ in 0..<3 { try await world.rotate(&alice) }
    let now = try SafetyNumber(await world.state(alice), await world.state(bob))
    #expect(now.compare(digits: now.digits) == .same)
    #expect(now.compare(digits: early.digits) == .theyAreBehind(alice.id))
    #expect(early.compare(digits: now.digits) == .different([alice.id]), "what comes later is not known here")
    let place = try #require(now.users.firstIndex(of: bob.id)) * SafetyIdentity.digitCount
    for offset in 0..<SafetyIdentity.digitCount {
      var digits = Array(now.digits.utf8)
      digits[place + offset] = digits[place + offset] == 0x39 ? 0x30 : digits[place + offset] + 1
      #expect(now.compare(digits: String(decoding: digits, as: UTF8.self)) == .different([bob.id]))
    }
    let stranger = try SafetyNumber(
      await world.state(try await world.user()), await world.state(try await world.user()))
    #expect(now.compare(digits: stranger.digits) == .different(now.users))
  }

  @Test func whatIsTypedMayBeGrouped() {
    let digits = String(repeating: "0123456789", count: 5)
    #expect(SafetyNumber.digits(typed: Array(digits.utf8)) == digits)
    #expect(SafetyNumber.digits(typed: Array(" 01234-56789\n\t\(digits.dropFirst(10)).\r\n".utf8)) == digits)
    #expect(SafetyNumber.digits(typed: Array(digits.dropLast().utf8)) == nil)
    #expect(SafetyNumber.digits(typed: Array((digits + "0").utf8)) == nil)
    #expect(SafetyNumber.digits(typed: Array((digits.dropLast() + "x").utf8)) == nil)
    #expect(SafetyNumber.digits(typed: Array((digits.dropLast() + "٣").utf8)) == nil)
    #expect(SafetyNumber.digits(typed: Array(repeating: 0x20, count: 2_000)) == nil)
  }
}
