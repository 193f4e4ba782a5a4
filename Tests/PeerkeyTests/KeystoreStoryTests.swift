import Foundation
import PeerstackFormat
import RegistryTestKit
import Testing

/// What people do with their keys, with real programs from one end to the other.
@Suite(.serialized) struct KeystoreStoryTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  @Test func newClaimRotateLoseRecover() throws {
    let alice = Person(world, "alice")
    let made = try alice.done("new", "--paper-key-out", alice.paper)
    let id = try #require(made["id"]?.string)
    #expect(id.count == 25 && made["paperKey"]?.isNull == true)
    #expect(try alice.done("show")["state"]?.isNull == true)
    let claimed = try alice.done("claim")
    #expect(claimed["effect"]?.string == "effective" && claimed["bound"]?.bool == true)
    #expect(try alice.done("claim")["effect"]?.string == "same")
    let first = try #require(try alice.currentKey())
    #expect(first == made["publicKey"]?.string)
    let early = try alice.signed("early")

    let trial = try alice.done("rotate", "--dry-run")
    #expect(trial["dryRun"]?.bool == true && trial["rank"]?.integer == 1)
    #expect(try alice.currentKey() == first)
    let rotated = try alice.done("rotate")
    let second = try #require(try alice.currentKey())
    #expect(second == rotated["publicKey"]?.string && second != first)
    let late = try alice.signed("late")

    // The device is gone; the paper and the id are left.
    try FileManager.default.removeItem(atPath: alice.keystore)
    var device = Person(world, "alice-2")
    #expect(try device.code("recover", "--paper-key-file", alice.paper) == "no-keystore")
    #expect(
      try device.code("recover", "--id", "0mc2q6zx7calicealicealice", "--paper-key-file", alice.paper) == "unknown-user"
    )
    let tried = try device.done("recover", "--id", id, "--paper-key-file", alice.paper, "--dry-run")
    #expect(tried["dryRun"]?.bool == true && tried["rank"]?.integer == 0)
    #expect(!FileManager.default.fileExists(atPath: device.keystore), "a trial leaves nothing behind")
    let recovered = try device.done("recover", "--id", id, "--paper-key-file", alice.paper)
    #expect(recovered["rank"]?.integer == 0 && recovered["action"]?.string == "recover")
    let third = try #require(try device.currentKey())
    #expect(third == recovered["publicKey"]?.string && third != second)
    let now = try device.signed("now")
    #expect(try device.done("history")["entries"]?.array?.count == 3)

    // Whoever syncs judges objects by all three keys, and those that were tampered with.
    let forged = late.replacingOccurrences(of: "\"late\"", with: "\"fate\"")
    let stranger = #"{"id":"x","signer":"0mc2q6zx7calicealicealice","signature":"AAAA"}"#
    #expect(
      try device.verdicts([early, late, now, forged, stranger, "{"])
        == ["valid", "valid", "valid", "invalid", "unresolved", "invalid"])
    #expect(try device.done("resolve", id)["users"]?.array?.first?.object?["result"]?.string == "known")
    #expect(try device.run("resolve", id, "0mc2q6zx7calicealicealice").status == 1)

    #expect(try device.done("claim")["effect"]?.string == "same")
    // The first key is lost, so nobody can prove the id in a further app.
    device.app = KeystoreWorld.forum
    #expect(try device.code("claim") == "no-original-claim")
  }

  @Test func aFurtherAppStartsWithTheFirstKeyAndGoesOnWithTheNewest() throws {
    var alice = try world.person("alice")
    let first = try alice.currentKey()
    try alice.done("rotate")
    let newest = try alice.currentKey()
    alice.app = KeystoreWorld.forum
    let claimed = try alice.done("claim")
    #expect(claimed["action"]?.string == "rotate" && claimed["claim"]?.string?.count == 64)
    #expect(try alice.currentKey() == newest)
    let keys = try #require(try alice.state()["keys"]?.array).map { $0.object?["publicKey"]?.string }
    #expect(keys == [first, newest])
    #expect(try alice.verdicts([try alice.signed("a")]) == ["valid"])
  }

  @Test func aThiefIsOutrankedByPaper() throws {
    let alice = try world.person("alice")
    let before = Person.now()
    let old = try alice.signed("old")
    let thief = try alice.copy("thief")
    try thief.done("rotate")
    let accomplice = try world.person("accomplice")
    try thief.done("amend", "--add-tier", "mine", "--tier-key", try #require(try accomplice.currentKey()))
    let forged = try thief.signed("forged")
    #expect(try alice.verdicts([forged]) == ["valid"], "until the owner acts")
    #expect(try alice.code("rotate") == "key-elsewhere")
    let since = ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: Double(before / 1_000)))
    let recovered = try alice.done(
      "recover", "--paper-key-file", alice.paper, "--reason", "compromised", "--compromised-since", since)
    #expect(recovered["state"]?.object?["authority"]?.array?.count == 2, "what the thief added is gone")
    let mine = try alice.signed("mine")
    #expect(try alice.verdicts([old, forged, mine]) == ["suspect", "invalid", "valid"])
    let fates = try #require(try alice.state()["keys"]?.array).map { $0.object?["fate"]?.string }
    #expect(fates == ["retired", "void", "current"])
    #expect(try thief.code("rotate") == "key-elsewhere")
  }
}
