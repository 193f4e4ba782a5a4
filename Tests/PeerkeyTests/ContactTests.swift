import Foundation
import PeerstackFormat
import RegistryTestKit
import Testing

/// How people verify each other with the command (docs/contacts.md).
@Suite(.serialized) struct ContactTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  /// Somebody with a claimed identity, and a folder and so a cache of their own.
  private func person(_ name: String) throws -> Person {
    var person = Person(world, name)
    person.folder = world.folder.path("\(name)-folder")
    try FileManager.default.createDirectory(atPath: person.folder, withIntermediateDirectories: false)
    try person.done("new", "--paper-key-out", person.paper)
    try person.done("claim")
    return person
  }

  /// Runs a command that must end with 0.
  @discardableResult
  private func done(_ person: Person, _ command: [String], input: String = "") throws -> JSONObject {
    let result = try person.run(command, input: input)
    try #require(result.status == 0, "\(command): \(result.error)")
    return result.json
  }

  /// Runs a command that must fail, and gives the code.
  private func code(_ person: Person, _ command: [String], input: String = "") throws -> String? {
    let result = try person.run(command, input: input)
    #expect(result.status == 1, "\(command): \(result.status) \(result.error)")
    return result.json["error"]?.object?["code"]?.string
  }

  private func card(_ person: Person) throws -> String {
    try #require(try done(person, ["contact", "card", "--name", "\(person.name) the first"])["card"]?.string)
  }

  /// The only contact of somebody.
  private func contact(_ person: Person) throws -> JSONObject {
    try #require(try done(person, ["contact", "list"])["contacts"]?.array?.first?.object)
  }

  private func digits(_ object: JSONObject) throws -> String {
    try #require(object["number"]?.array).compactMap(\.string).joined(separator: " ")
  }

  @Test func twoPeopleVerifyEachOtherWithoutARegistrar() throws {
    let (alice, bob) = (try person("alice"), try person("bob"))
    let (aliceID, bobID) = (try alice.id, try bob.id)
    let aliceCard = try card(alice)
    world.registrar.stop()
    let bobCard = try card(bob)

    let mail = "Hello!\r\n" + bobCard.replacing("\n", with: "\r\n") + "Bob\r\n"
    let added = try done(alice, ["contact", "add"], input: mail)
    #expect(added["id"]?.string == bobID && added["name"]?.string == "bob the first")
    #expect(added["effect"]?.string == "pinned" && added["trust"]?.string == "unverified")
    #expect(added["bound"]?.bool == true && added["policiesKnown"]?.bool == true)
    try done(bob, ["contact", "add", try world.file("alice.card", aliceCard), "--name", "Alice"])
    #expect(try contact(bob)["name"]?.string == "Alice")
    #expect(try contact(bob)["trust"]?.string == "unverified")
    #expect(try contact(bob)["source"]?.string == "card")

    let object = try alice.signed("x")
    #expect(try bob.verdicts([object]) == ["valid"], "the card is all that bob has")

    let shown = try done(alice, ["contact", "verify", bobID])
    #expect(try digits(added) == digits(shown) && shown["result"]?.isNull == true)
    let compared = try done(bob, ["contact", "verify", "Alice", "--number", try digits(shown)])
    #expect(compared["result"]?.string == "same" && compared["trust"]?.string == "verified")
    #expect(compared["id"]?.string == aliceID)
    #expect(try contact(bob)["trust"]?.string == "verified")
    let text = try #require(compared["text"]?.string)
    #expect(try done(alice, ["contact", "verify", bobID, "--scan", text])["trust"]?.string == "verified")
  }

  @Test func aNumberThatDiffersIsAConflict() throws {
    let (alice, bob, carol) = (try person("alice"), try person("bob"), try person("carol"))
    try done(alice, ["contact", "add"], input: try card(bob))
    let number = try digits(try done(alice, ["contact", "verify", "bob the first"]))
    let others = try digits(try done(carol, ["contact", "verify", try alice.id]))
    let result = try alice.run(["contact", "verify", "bob the first", "--number", others])
    #expect(result.status == 1 && result.json["error"]?.object?["code"]?.string == "conflict")
    #expect(result.json["error"]?.object?["users"]?.array?.contains(.text(try bob.id)) == true)
    #expect(try contact(alice)["trust"]?.string == "unverified")
    #expect(try code(alice, ["contact", "verify", try bob.id, "--number", String(number.dropLast())]) == "number")
    #expect(try code(alice, ["contact", "verify", try bob.id, "--scan", "PEERKEY:SAFETY:1:x"]) == "safety-text")
    #expect(try code(alice, ["contact", "verify", "nobody I know"]) == "no-contact")
  }

  @Test func aKeyThatHasChangedStaysVerifiedAndOldKnowledgeIsTold() throws {
    let (alice, bob) = (try person("alice"), try person("bob"))
    let old = try card(bob)
    try done(alice, ["contact", "add", "--verified"], input: old)
    #expect(try contact(alice)["trust"]?.string == "verified")
    try bob.done("rotate")
    let number = try digits(try done(bob, ["contact", "verify", try alice.id]))
    let behind = try done(alice, ["contact", "verify", "--offline", try bob.id])
    #expect(try digits(behind) != number)
    // The one who knows less cannot tell; the one who knows more can.
    let text = try #require(behind["text"]?.string)
    let told = try bob.run(["contact", "verify", try alice.id, "--scan", text])
    #expect(told.status == 2 && told.json["result"]?.string == "they-are-behind")
    let newer = try #require(try done(bob, ["contact", "verify", try alice.id])["text"]?.string)
    let mine = try alice.run(["contact", "verify", "--offline", try bob.id, "--scan", newer])
    #expect(mine.status == 2 && mine.json["result"]?.string == "we-are-behind")
    #expect(try done(alice, ["contact", "verify", try bob.id, "--scan", newer])["trust"]?.string == "verified")
    #expect(try contact(alice)["trust"]?.string == "verified")
    #expect(try code(alice, ["contact", "add", "--verified"], input: old) == "card-older")
    #expect(try contact(alice)["sequence"]?.integer == 1)
    let again = try done(alice, ["contact", "add"], input: try card(bob))
    #expect(again["effect"]?.string == "unchanged" && again["trust"]?.string == "verified")
  }

  @Test func badCardsHaveCodes() throws {
    let (alice, bob) = (try person("alice"), try person("bob"))
    let text = try card(bob)
    #expect(try code(alice, ["contact", "add"], input: try card(alice)) == "own-card")
    #expect(try code(alice, ["contact", "add"], input: "hello") == "no-card")
    #expect(try code(alice, ["contact", "add"], input: String(text.prefix(300))) == "card-incomplete")
    #expect(try code(alice, ["contact", "add"], input: text.replacing("\nA", with: "\nB")) == "card-damaged")
    #expect(try code(alice, ["contact", "card", "--name", "a\u{1b}[2J"]) == "card-name")
    var elsewhere = alice
    elsewhere.app = "forum.example"
    #expect(try code(elsewhere, ["contact", "add"], input: text) == "card-app")
    #expect(try done(alice, ["contact", "list"])["contacts"]?.array?.isEmpty == true)
  }

  @Test func contactsAreForgotten() throws {
    let (alice, bob) = (try person("alice"), try person("bob"))
    try done(alice, ["contact", "add", "--verified"], input: try card(bob))
    #expect(try done(alice, ["contact", "forget", "bob the first", "--yes"])["id"]?.string == bob.id)
    #expect(try done(alice, ["contact", "list"])["contacts"]?.array?.isEmpty == true)
    try done(alice, ["contact", "add"], input: try card(bob))
    #expect(try contact(alice)["trust"]?.string == "unverified")
  }

  /// What people see without --json, and the codes on it.
  @Test func codesAreDrawn() throws {
    let (alice, bob) = (try person("alice"), try person("bob"))
    func lines(_ person: Person, _ command: [String]) throws -> [String] {
      let arguments = try person.arguments(command).filter { $0 != "--json" }
      let outcome = try BuiltProgram.run("peerkey", arguments, input: [])
      #expect(outcome.status == 0, "\(outcome.error)")
      return outcome.lines
    }
    let drawn = try lines(alice, ["contact", "card", "--name", "Alice", "--qr"])
    #expect(drawn.count > 40 && drawn.allSatisfy { $0.hasPrefix("████") || $0 == drawn.last })
    let number = try lines(alice, ["contact", "verify", try bob.id, "--qr"])
    #expect(number.count > 20 && number[0].contains("(you)") != number[1].contains("(you)"))
    #expect(try lines(alice, ["contact", "list"]) == ["no contacts in chat.example: peerkey contact add"])
  }
}
