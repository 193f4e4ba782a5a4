import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

@testable import Contacts

struct ContactCardTests {
  @Test func whatWasHandedOverSaysTheSame() async throws {
    let world = try World()
    var alice = try await world.user()
    for _ in 0..<3 { try await world.rotate(&alice) }
    let card = try await world.card(alice)
    let known = try await world.judged(alice)
    for text in [card.text, card.line, card.line.lowercased()] {
      let read = try world.read(text)
      #expect(read.user == alice.id && read.app == world.app && read.name.text == "Zoë Ã" && read.made == card.made)
      #expect(read.judged.state.json == known.state.json && !read.judged.isConfirmed && read.isBound)
      #expect(read.identity == card.identity && !read.arePoliciesKnown)
      #expect(read.text == card.text)
    }
  }

  @Test func mailDoesNoHarm() async throws {
    let world = try World()
    let card = try await world.card(try await world.user())
    let text = card.text
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.allSatisfy { $0.utf8.count <= 64 })
    let quoted = lines.map { "> > \($0)  " }.joined(separator: "\r\n")
    let half = lines.prefix(4).map { "> \($0)" }.joined(separator: "\n")
    for mail in [
      "Hello,\n\nmy card:\n\n\(text)\nBye", quoted, "\(half)\n\nYou cut it off. Again:\n\(text)", "\r\n" + text,
      lines.joined(separator: "\n\n"), "  \(card.line)\r\n", "see\n> \(card.line)\n",
      lines.map { "  | \($0)" }.joined(separator: "\n"), "\(lines[0])\n\(lines[1])\n\(text)",
      ([lines[0]] + lines.dropFirst().dropLast().map { $0.replacing("A", with: "A ") } + [lines[lines.count - 1]])
        .joined(separator: "\n"),
    ] {
      #expect(world.fault(mail) == nil, "\(mail)")
    }
  }

  @Test func aClaimFitsAQRCodeThatFitsATerminal() async throws {
    let world = try World()
    var alice = try await world.user()
    let claim = try #require(try await world.card(alice).qrText)
    #expect(claim.utf8.count <= 1_122, "version 19 at most, 101 columns and 51 lines: \(claim.utf8.count)")
    #expect(claim.utf8.allSatisfy { Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:".utf8).contains($0) })
    while let text = try await world.card(alice).qrText {
      #expect(text.utf8.count <= 4_296)
      try await world.rotate(&alice)
      world.clock.advance(by: World.day)
    }
    #expect(await world.registrar.entries(of: alice.id).count > 5)
    let long = try await world.card(alice)
    #expect(world.fault(long.text) == nil && long.line.utf8.count > 4_296)
  }

  @Test func cutOffCardsAreNoCards() async throws {
    let world = try World()
    let card = try await world.card(try await world.user())
    let (text, line) = (card.text.dropLast(), card.line)
    #expect(world.fault("") == "no-card")
    #expect(world.fault("Hello, no card here") == "no-card")
    for count in 0..<text.utf8.count {
      let fault = world.fault(String(text.prefix(count)))
      #expect(fault == (count < CardText.begin.utf8.count ? "no-card" : "card-incomplete"), "\(count)")
    }
    for count in CardText.prefix.utf8.count..<line.utf8.count {
      #expect(world.fault(String(line.prefix(count))) == "card-damaged", "\(count)")
    }
    // Cut off by somebody who can work out a checksum.
    let packed = try CardText.packed(in: Array(line.utf8))
    for count in 0..<packed.count {
      let cut = CardText.line(CardText.bytes(of: Array(packed.prefix(count))))
      #expect(world.fault(cut) == (count == 0 ? "card-damaged" : "card-malformed"), "\(count)")
    }
  }

  @Test func changedCardsAreNoCards() async throws {
    let world = try World()
    var alice = try await world.user()
    try await world.rotate(&alice)
    let card = try await world.card(alice)
    let packed = try CardText.packed(in: Array(card.line.utf8))
    var faults: Set<String> = []
    for place in card.bytes.indices {
      var changed = card.bytes
      changed[place] ^= 1 << UInt8(place % 8)
      #expect(world.fault(CardText.line(changed)) == "card-damaged")
      guard packed.indices.contains(place) else { continue }
      var forged = packed
      forged[place] ^= 1 << UInt8(place % 8)
      let fault = world.fault(CardText.line(CardText.bytes(of: forged)))
      #expect(fault != nil, "byte \(place)")
      faults.insert(fault ?? "")
    }
    #expect(faults.isSuperset(of: ["card-malformed", "conflict", "card-signature"]))
  }

  @Test func aNameThatWasSwappedIsSeen() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let (first, second) = (try await world.card(alice, name: "Alice"), try await world.card(bob, name: "Bob"))
    let swapped = try first.object.setting("name", to: try #require(try second.object["name"]))
    #expect(world.fault(try ContactCard.line(of: swapped)) == "card-signature")
    let older = try first.object.setting("modified", to: .integer(World.start))
    #expect(world.fault(try ContactCard.line(of: older)) == "card-signature")
  }

  @Test func namesThatCannotBeShownAreRefused() async throws {
    let world = try World()
    let alice = try await world.user()
    let object = try await world.card(alice).object.omitting(["signature"])
    for name in ["", "a\u{1b}[2J", "a\u{202e}b", "a\nb", " a", String(repeating: "a", count: 65)] {
      let signed = alice.sign(object.setting("name", to: .text(name)))
      #expect(world.fault(try ContactCard.line(of: signed)) == "card-name", "\(name)")
    }
  }

  @Test func cardsOfOtherAppsAreRefused() async throws {
    let (world, forum) = (try World(), try World(app: "forum.example"))
    let card = try await forum.card(try await forum.user())
    #expect(world.fault(card.text) == "card-app")
    // Somebody writes this app's name upon it.
    let renamed = try card.object.setting("app", to: .text(world.app.text))
    #expect(world.fault(try ContactCard.line(of: renamed)) == "conflict")
  }

  @Test func anotherUsersHistoryIsSeen() async throws {
    let world = try World()
    let (alice, bob) = (try await world.user(), try await world.user())
    let object = try await world.card(alice).object
    let entries = try #require(try await world.card(bob).object["entries"])
    let unsigned = object.setting("entries", to: entries).omitting(["signature"])
    #expect(world.fault(try ContactCard.line(of: alice.sign(unsigned))) == "card-user")
    let mixed = try #require(object["entries"]?.array) + (try #require(entries.array))
    let both = object.setting("entries", to: .array(mixed)).omitting(["signature"])
    #expect(world.fault(try ContactCard.line(of: alice.sign(both))) == "conflict")
  }

  @Test func onlyTheKeyInForceSigns() async throws {
    let world = try World()
    var alice = try await world.user()
    let former = alice.key
    try await world.rotate(&alice)
    let object = try await world.card(alice).object.omitting(["signature"])
    let (mallory, paper) = (SigningKey.generate(), alice.paper)
    #expect(world.fault(try ContactCard.line(of: alice.sign(object, with: mallory))) == "card-signature")
    #expect(world.fault(try ContactCard.line(of: alice.sign(object, with: paper))) == "card-signature")
    #expect(world.fault(try ContactCard.line(of: alice.sign(object, with: former))) == "card-former-key")
    // A thief of a former key leaves out what ended it: nothing shows that, so nothing but the person confirms a card.
    let first = JSONValue.array(Array(try #require(object["entries"]?.array).prefix(1)))
    let cut = alice.sign(object.setting("entries", to: first), with: former)
    #expect(world.fault(try ContactCard.line(of: cut)) == nil)
    await #expect(throws: CardFault.self) { try await world.card(alice, by: former) }
  }

  @Test func usersWithoutAKeyHaveNoCard() async throws {
    let world = try World()
    let alice = try await world.user()
    let head = try await world.head(of: alice)
    world.clock.advance(by: World.minute)
    let card = try await world.card(alice)
    let revoked = try await world.registrar.submit(alice.revoke(after: head, at: world.clock.now()))
    let entries =
      try #require(try card.object["entries"]?.array) + [
        try JSONValue.parseStrict(revoked.text, maxDepth: 19)
      ]
    let object = try card.object.setting("entries", to: .array(entries)).omitting(["signature"])
    #expect(world.fault(try ContactCard.line(of: alice.sign(object))) == "card-key")
  }

  @Test func whatComesAfterADelayedRecordIsForARegistrarToSay() async throws {
    let world = try World()
    var alice = try await world.user(paperDelay: World.day)
    let head = try await world.head(of: alice)
    try await world.registrar.submit(alice.recover(after: head, at: world.clock.now()))
    world.clock.advance(by: 2 * World.day)
    try await world.rotate(&alice)
    do {
      _ = try await world.card(alice)
      Issue.record("a card was made")
    } catch let fault as CardFault {
      #expect(fault.code == "card-delayed")
    }
  }

  @Test func policiesThatAreKnownBind() async throws {
    let world = try World()
    let card = try await world.card(try await world.user())
    let policies = try await world.policies()
    let first = try #require(policies.entries.first).content.hash
    #expect(try world.read(card.text, under: KnownPolicies(chain: policies)).arePoliciesKnown)
    #expect(try world.read(card.text, under: KnownPolicies(first: first)).arePoliciesKnown)
    #expect(world.fault(card.text, under: KnownPolicies()) == "card-policies")
    #expect(world.fault(card.text, under: KnownPolicies(first: RecordHash(of: []), takesSenders: true)) == "conflict")
    let stranger = try World()
    _ = try await stranger.judged(try await stranger.user())
    let others = KnownPolicies(chain: try await stranger.policies(), takesSenders: true)
    #expect(world.fault(card.text, under: others) == "conflict")
  }

  @Test func theFutureIsNotBelieved() async throws {
    let world = try World()
    let alice = try await world.user()
    let card = try await world.card(alice)
    #expect(throws: CardFault.self) {
      try ContactCard.read(Array(card.text.utf8), app: world.app, clock: card.made - Limits.clockSkew - 1)
    }
    let late = try card.object.setting("modified", to: .integer(world.clock.now() + Limits.clockSkew + 1))
    #expect(world.fault(try ContactCard.line(of: alice.sign(late.omitting(["signature"])))) == "card-time")
  }

  @Test func fieldsAreReadStrictly() async throws {
    let world = try World()
    let alice = try await world.user()
    let object = try await world.card(alice).object.omitting(["signature"])
    func fault(_ object: JSONObject) throws -> String? { world.fault(try ContactCard.line(of: alice.sign(object))) }
    #expect(try fault(object) == nil)
    #expect(try fault(object.setting("extra", to: 1)) == "card-malformed")
    #expect(try fault(object.omitting(["policies"])) == "card-malformed")
    #expect(try fault(object.setting("type", to: "User")) == "card-malformed")
    #expect(try fault(object.setting("version", to: 2)) == "card-malformed")
    #expect(try fault(object.setting("modified", to: "1")) == "card-malformed")
    #expect(try fault(object.setting("entries", to: [])) == "card-malformed")
    let entry = try #require(object["entries"]?.array?.first)
    #expect(try fault(object.setting("entries", to: .array(Array(repeating: entry, count: 129)))) == "card-malformed")
    let policy = try #require(object["policies"]?.array?.first)
    #expect(try fault(object.setting("policies", to: .array(Array(repeating: policy, count: 33)))) == "card-malformed")
    let upper = try await world.card(alice).object.setting("signature", to: "AA==")
    #expect(world.fault(try ContactCard.line(of: upper)) == "card-malformed")
  }

  @Test func laterVersionsAndHugeTextsAreNamed() async throws {
    let world = try World()
    let card = try await world.card(try await world.user())
    var body = Array(card.bytes.dropLast(4))
    body[0] = 2
    #expect(world.fault(CardText.line(body + SHA256.hash(body).bytes.prefix(4))) == "card-version")
    #expect(world.fault(card.text + String(repeating: " ", count: ContactCard.maxTextBytes)) == "card-too-large")
    let huge = CardText.bytes(of: [UInt8](repeating: 0, count: ContactCard.maxBytes))
    #expect(world.fault(CardText.armoured(huge)) == "card-too-large")
  }

  @Test func tooLongHistoriesAreNamed() async throws {
    let world = try World()
    var alice = try await world.user()
    for _ in 0..<ContactCard.maxEntries {
      try await world.rotate(&alice)
      world.clock.advance(by: World.day)
    }
    do {
      _ = try await world.card(alice)
      Issue.record("a card was made")
    } catch let fault as CardFault {
      #expect(fault.code == "card-history")
    }
  }
}
