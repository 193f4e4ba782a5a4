import Cryptography
import Foundation
import KeyRecords
import PeerstackFormat
import RegistryTestKit
import Testing

/// What goes wrong on the way: crashes, races, outages, lies and wrong passwords.
@Suite(.serialized) struct KeystoreTroubleTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  /// The command dies after the record was stored and before the registrar has it; the next one sends it again.
  @Test func killedBeforeTheRecordArrives() throws {
    try killed { $0.hold(forward: false) }
  }

  /// The command dies after the registrar has taken the record and before it hears of that.
  @Test func killedBeforeTheAnswerArrives() throws {
    try killed { $0.hold(forward: true) }
  }

  private func killed(_ set: (HoldingProxy) -> Void) throws {
    let alice = try world.person("alice")
    let first = try alice.currentKey()
    let proxy = try HoldingProxy(to: world.registrar.port)
    set(proxy)
    var there = alice
    there.registrar = proxy.url
    let process = Process()
    process.executableURL = BuiltProgram.url("peerkey")
    process.arguments = try there.arguments(["rotate"])
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    proxy.waitUntilHeld()
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal)
    #expect(try alice.done("show")["changes"]?.array?.count == 1, "the change is in the keystore")

    let finished = try alice.done("rotate")
    #expect(finished["finished"]?.bool == true)
    let key = try alice.currentKey()
    #expect(key == finished["publicKey"]?.string && key != first)
    #expect(try alice.done("history")["entries"]?.array?.count == 2, "one rotation, not two")
    #expect(try alice.done("show")["changes"]?.array?.isEmpty == true)
    #expect(try alice.verdicts([try alice.signed("x")]) == ["valid"])
    #expect(try alice.done("rotate")["finished"] == nil)
  }

  /// Two devices rotate at once: one wins, the other is told and can start over.
  @Test func twoDevicesRace() throws {
    let alice = try world.person("alice")
    var laptop = try alice.copy("laptop")
    let proxy = try HoldingProxy(to: world.registrar.port)
    laptop.registrar = proxy.url
    let faster = try alice.arguments(["rotate"])
    proxy.delayForwarding { #expect(throws: Never.self) { try BuiltProgram.run("peerkey", faster) } }
    let lost = try laptop.run("rotate")
    #expect(lost.status == 1 && lost.json["error"]?.object?["code"]?.string == "stale-head", "\(lost.error)")
    #expect(lost.error.contains("a key that is not in this keystore"))
    laptop.registrar = world.url
    #expect(try laptop.code("rotate") == "key-elsewhere")
    #expect(try laptop.done("show")["changes"]?.array?.isEmpty == true)
    try laptop.done("recover", "--paper-key-file", alice.paper)
    #expect(try alice.verdicts([try laptop.signed("x")]) == ["valid"])
  }

  @Test func wrongPasswordsChangeNothing() throws {
    var alice = try world.person("alice")
    let before = try Data(contentsOf: URL(filePath: alice.keystore))
    alice.password = "not it"
    for command in ["claim", "rotate", "revoke", "amend", "passwd", "sign"] {
      #expect(try alice.code(command, status: 77) == "wrong-password")
    }
    #expect(try Data(contentsOf: URL(filePath: alice.keystore)) == before)
    #expect(try alice.done("history")["entries"]?.array?.count == 1)
  }

  @Test func aRegistrarThatIsDown() throws {
    var alice = try world.person("alice")
    let before = try #require(try alice.done("show")["changes"]?.array?.count)
    alice.registrar = "http://127.0.0.1:1"
    for command in ["claim", "rotate", "revoke", "history"] {
      #expect(try alice.code(command, status: 69) == "unreachable")
    }
    #expect(try alice.code("resolve", "0mc2q6zx7calicealicealice", status: 69) == "unreachable")
    let outcome = try BuiltProgram.run(
      "peerkey", ["verify", "--registrar", alice.registrar, "--app", alice.app, "--no-cache"],
      input: Array(try alice.signed("x").utf8))
    #expect(outcome.status == 69 && outcome.lines.first?.contains("\"unresolved\"") == true)
    alice.registrar = world.url
    #expect(try alice.done("show")["changes"]?.array?.count == before)
    #expect(try alice.code("rotate", "--app", "other.example") == "unknown-app")
  }

  /// A registrar that has forgotten what it showed before is not believed, and nothing is signed for it.
  @Test func aRegistrarThatRollsBack() throws {
    let alice = try world.person("alice")
    try alice.done("rotate")
    let other = try KeystoreWorld()
    var there = alice
    there.registrar = other.url
    for command in ["rotate", "claim", "show"] { #expect(try there.code(command) == "conflict") }
    #expect(try alice.done("rotate")["sequence"]?.integer == 2)
  }

  @Test func argumentsThatCannotBe() throws {
    let alice = try world.person("alice")
    for arguments in [
      ["rotate", "--app", "NO"], ["rotate", "--registrar", "ftp://x"], ["recover", "--compromised-since", "0"],
      ["rotate", "--expires", "2026-02-30"], ["amend", "--add-tier", "x"], ["resolve", "nobody"], ["frobnicate"],
      ["rotate", "--registrar", "http://registrar.example"],
    ] {
      let outcome = try BuiltProgram.run("peerkey", try alice.arguments(arguments))
      #expect(outcome.status == 64, "\(arguments): \(outcome.error)")
    }
    #expect(try alice.code("new") == "keystore", "a keystore is never replaced")
  }

  /// An app that only lets in who was invited, and shows keys to its members only.
  @Test func inviteOnlyApps() throws {
    var alice = Person(world, "alice")
    alice.app = "club.example"
    let created = try BuiltProgram.run(
      "registrar",
      [
        "app", "create", "club.example", "--admin-key", world.adminKey, "--admission", "invite", "--record-read",
        "members", "--data", world.folder.path("data"),
      ])
    try #require(created.status == 0, "\(created.error)")
    let id = try #require(try alice.done("new", "--paper-key-out", alice.paper)["id"]?.string)
    #expect(try alice.code("claim") == "admission-refused")
    let admin = try #require(JSONValue.parseStrict([UInt8](Data(contentsOf: URL(filePath: world.adminKey)))).object)
    let key = try PeerstackKeys.signingKey(try #require(admin["secretKey"]?.jsonString))
    let invitation = Draft([
      "type": "Invitation", "app": "club.example", "subject": .text(id), "nonce": "1",
      "expires": .integer(Person.now() + 60_000), "publicKey": .text(Base64.encode(key.verifyingKey.bytes32)),
    ])
    let file = try world.file("invitation", String(decoding: invitation.signedWithoutApprovals(by: key), as: UTF8.self))
    #expect(try alice.done("claim", "--invitation", file, "--dry-run")["dryRun"]?.bool == true)
    try alice.done("claim", "--invitation", file)
    try alice.done("rotate")
    #expect(try alice.state()["sequence"]?.integer == 1, "members may look")
    #expect(try alice.done("history")["entries"]?.array?.count == 2)
    #expect(try alice.done("resolve", id)["users"]?.array?.first?.object?["result"]?.string == "known")
    #expect(try alice.verdicts([try alice.signed("x")]) == ["valid"])
    var stranger = Person(world, "stranger")
    stranger.app = "club.example"
    #expect(try stranger.code("resolve", id) == "not-authorised")
  }
}
