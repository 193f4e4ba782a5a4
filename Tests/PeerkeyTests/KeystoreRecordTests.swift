import Foundation
import PeerstackFormat
import RegistryTestKit
import Testing

/// The rest of the commands for key records and for the keystore itself.
@Suite(.serialized) struct KeystoreRecordTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  @Test func revokeLocksAndOnlyRecoveryUnlocks() throws {
    let alice = try world.person("alice")
    #expect(try alice.done("revoke", "--dry-run")["effect"]?.string == "effective")
    #expect(try alice.done("revoke")["state"]?.object?["status"]?.string == "locked")
    #expect(try alice.code("rotate") == "locked")
    #expect(try alice.code("revoke") == "locked")
    let unsigned = try alice.run("sign", input: "{}")
    #expect(unsigned.status == 1 && unsigned.json["error"]?.object?["code"]?.string == "not-signed")
    try alice.done("recover", "--paper-key-file", alice.paper)
    // With the paper key alone, and a boundary.
    let since = "\(Person.now() - 60_000)"
    let revoked = try alice.done(
      "revoke", "--paper-key-file", alice.paper, "--compromised-since", since)
    #expect(revoked["rank"]?.integer == 0 && revoked["state"]?.object?["status"]?.string == "locked")
    try alice.done("recover", "--paper-key-file", alice.paper)
    #expect(try alice.verdicts([try alice.signed("x")]) == ["valid"])
  }

  @Test func retireIsForTheHighestTierAndForEver() throws {
    let alice = try world.person("alice")
    #expect(try alice.code("retire", "--yes") == "not-authorised")
    #expect(try alice.code("retire") == "no-terminal")
    let retired = try alice.done("retire", "--yes", "--paper-key-file", alice.paper)
    #expect(retired["state"]?.object?["status"]?.string == "retired")
    #expect(try alice.code("rotate") == "retired")
    #expect(try alice.code("recover", "--paper-key-file", alice.paper) == "retired")
  }

  @Test func amendChangesTiersFromItsOwnRankOn() throws {
    let alice = try world.person("alice")
    let bob = try world.person("bob")
    let key = try #require(try bob.currentKey())
    #expect(try alice.code("amend", "--remove-tier", "paper") == "tier-protected")
    #expect(try alice.code("amend", "--remove-tier", "friends") == "no-tier")
    try alice.done("amend", "--add-tier", "friends", "--tier-key", key, "--delay", "1h")
    try alice.done(
      "amend", "--add-tier", "work", "--tier-key", key, "--above-signer", "--paper-key-file", alice.paper, "--expires",
      "2099-01-31T10:00:00Z", "--source-url", "https://other.example/registry")
    let names = try #require(try alice.state()["authority"]?.array).map { $0.object?["name"]?.string ?? "signer" }
    #expect(names == ["paper", "work", "signer", "friends"])
    let entries = try #require(try alice.done("history")["entries"]?.array)
    let record = try #require(entries.last?.object?["record"]?.object)
    #expect(record["expires"]?.integer == 4_073_536_800_000)
    #expect(record["sourceUrl"]?.string == "https://other.example/registry")
    try alice.done("amend", "--expires", "never", "--source-url", "none", "--remove-tier", "friends")
    let last = try #require(try alice.done("history")["entries"]?.array?.last?.object?["record"]?.object)
    #expect(last["expires"] == nil && last["sourceUrl"] == nil)
    #expect(try alice.code("amend", "--expires", "2020-01-01") == "invalid-field")
  }

  @Test func aNewPaperKeyTakesTheOldOnesPlace() throws {
    let alice = try world.person("alice")
    #expect(try alice.code("paper") == "paper-key")
    let new = alice.paper + "-2"
    try alice.done("paper", "--paper-key-file", alice.paper, "--paper-key-out", new)
    #expect(try alice.code("recover", "--paper-key-file", alice.paper) == "paper-key")
    #expect(try alice.done("recover", "--paper-key-file", new)["rank"]?.integer == 0)
    // One who had none.
    let bob = Person(world, "bob")
    try bob.done("new", "--no-paper")
    try bob.done("claim")
    try bob.done("paper", "--paper-key-out", bob.paper)
    #expect(try bob.done("recover", "--paper-key-file", bob.paper)["rank"]?.integer == 0)
  }

  @Test func paperKeysAreCheckedForTypingErrors() throws {
    let alice = try world.person("alice")
    let text = try String(contentsOfFile: alice.paper, encoding: .utf8)
    #expect(text.hasPrefix("P1") && text.count == 72)
    let swapped = try world.file("swapped", String(text.dropLast(3)) + "00\n")
    #expect(try alice.code("recover", "--paper-key-file", swapped) == "paper-key")
    let typed = try world.file("typed", text.lowercased().replacingOccurrences(of: "-", with: " "))
    try alice.done("recover", "--paper-key-file", typed)
    let attributes = try FileManager.default.attributesOfItem(atPath: alice.paper)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test func passwordsAndRecoveryCodes() throws {
    var alice = try world.person("alice")
    let code = try #require(try alice.done("passwd", "--add-recovery-code")["recoveryCode"]?.string)
    let codeFile = try world.file("code", code)
    let second = try world.file("second", "another password\n")
    try alice.done("passwd", "--recovery-code-file", codeFile, "--new-password-file", second)
    #expect(try alice.code("rotate", status: 77) == "wrong-password")
    alice.password = "another password"
    try alice.done("rotate")
    #expect(
      try alice.code("passwd", "--recovery-code-file", codeFile, "--new-password-file", second) == "keystore",
      "a new password makes the code void")
    try alice.done("passwd", "--new-password-file", second, "--unlock-time", "50")
    try alice.done("rotate")
  }

  @Test func exportAndImport() throws {
    let alice = try world.person("alice")
    let copyPassword = try world.file("copy-password", "of the copy\n")
    let copy = world.folder.path("copy.json")
    try alice.done("export", copy, "--new-password-file", copyPassword)
    #expect(try alice.code("export", copy, "--new-password-file", copyPassword) == "keystore", "nothing is replaced")
    let phone = Person(world, "phone")
    #expect(
      try phone.code("import", copy, "--old-password-file", world.folder.path("alice.password"), status: 77)
        == "wrong-password")
    #expect(try phone.done("import", copy, "--old-password-file", copyPassword)["id"]?.string == (try alice.id))
    try phone.done("rotate")
    // As peerstack itself has it.
    let plain = world.folder.path("plain.json")
    try phone.done("export", "--plain", plain)
    let object = try #require(JSONValue.parseStrict([UInt8](Data(contentsOf: URL(filePath: plain)))).object)
    #expect(object["id"]?.string == (try alice.id) && object["secretKey"]?.string?.count == 88)
    let tablet = Person(world, "tablet")
    try tablet.done("import", plain, "--no-paper")
    try tablet.done("rotate")
    #expect(try alice.code("rotate") == "key-elsewhere")
    #expect(try alice.verdicts([try tablet.signed("x")]) == ["valid"])
  }

  @Test func generalSigningRefusesWhatDecidesAboutKeys() throws {
    let alice = try world.person("alice")
    for type in ["PublicKey", "AppPolicy", "Adjudication", "Invitation", "Request"] {
      let result = try alice.run("sign", input: "{\"id\":\"a\"}\n{\"type\":\"\(type)\"}\n")
      #expect(result.status == 1 && result.json["error"]?.object?["code"]?.string == "not-signed")
    }
    #expect(try alice.run("sign", "--text", input: String(repeating: "a", count: 64)).status == 1)
    let outcome = try BuiltProgram.run(
      "peerkey", try alice.arguments(["sign"]), input: Array("{\"id\":\"a\"}\n{\"id\":\"b\"}\n".utf8))
    #expect(outcome.lines.count == 2)
    #expect(try alice.verdicts(outcome.lines.map { $0 }) == ["valid", "valid"])
  }
}
