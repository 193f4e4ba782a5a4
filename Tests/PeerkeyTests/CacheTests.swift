import Foundation
import KeyRecords
import PeerstackFormat
import RegistryCache
import RegistryClient
import RegistryTestKit
import Testing

/// What commands remember of registrars, and how they do without them.
@Suite(.serialized) struct CacheTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  /// Somebody with a folder, and so a cache, of their own.
  private func stranger(_ name: String) throws -> Person {
    var stranger = Person(world, name)
    stranger.folder = world.folder.path("\(name)-folder")
    try FileManager.default.createDirectory(atPath: stranger.folder, withIntermediateDirectories: false)
    return stranger
  }

  private func verify(
    _ person: Person, _ objects: [String], _ more: String...
  ) throws -> (status: Int32, verdicts: [JSONObject], error: String) {
    let arguments = try person.arguments(["verify"] + more).filter { $0 != "--json" }
    let outcome = try BuiltProgram.run("peerkey", arguments, input: Array(objects.joined(separator: "\n").utf8))
    return (
      outcome.status, try outcome.lines.map { try #require(JSONValue.parseStrict(Array($0.utf8)).object) },
      outcome.error
    )
  }

  /// The only user of an answer to `resolve`.
  private func user(_ answer: JSONObject) throws -> JSONObject {
    try #require(answer["users"]?.array?.first?.object)
  }

  /// Sets back when the registrar confirmed what is in a cache.
  private func age(_ cache: String, of id: String, by age: Milliseconds) async throws {
    let (app, user) = (try #require(AppID(KeystoreWorld.chat)), try #require(UserID(id)))
    let store = try CacheFile(path: cache).store(of: app)
    var history = try #require(try await store.histories(of: [user], from: world.url)[user])
    history.checked -= age
    try await store.save([user: history], from: world.url)
    try store.file.close()
  }

  private static let day: Milliseconds = 24 * 3_600_000

  @Test func theRegistrarIsDown() async throws {
    let alice = try world.person("alice")
    let id = try alice.id
    let object = try alice.signed("x")
    let bob = try stranger("bob")
    try bob.done("resolve", id)
    world.registrar.stop()

    let resolved = try bob.run("resolve", id)
    #expect(resolved.status == 0, "\(resolved.error)")
    #expect(resolved.error.contains("note: this is what \(world.url) said"))
    #expect(resolved.error.contains("cannot be reached"), "and it says why")
    #expect(try user(resolved.json)["result"]?.string == "known")
    #expect(try user(resolved.json)["checked"]?.integer.map { $0 <= Person.now() } == true)
    let shown = try alice.run("show")
    #expect(shown.status == 0 && shown.json["state"]?.object != nil)
    #expect(try bob.done("history", id)["entries"]?.array?.count == 1)
    let verified = try verify(bob, [object])
    #expect(verified.status == 0 && verified.verdicts.first?["verdict"]?.string == "valid")
    #expect(verified.error.contains("note: 1 signers were judged by what \(world.url) said up to"))

    // Nothing is signed by what is remembered.
    for command in ["rotate", "amend", "revoke", "claim"] {
      #expect(try alice.code(command, status: 69) == "unreachable")
    }
    let nobody = "0mc2q6zx7calicealicealice"
    #expect(try bob.code("resolve", nobody, status: 69) == "unreachable")
    let both = try bob.run("resolve", id, nobody)
    #expect(both.status == 69)
    #expect(
      both.json["users"]?.array?.map { $0.object?["result"]?.string } == ["known", "unavailable"],
      "what is known is shown all the same")
    #expect(try bob.code("resolve", id, "--no-cache", status: 69) == "unreachable")

    try await age(bob.cache, of: id, by: Self.day)
    let stale = try bob.run("resolve", id)
    #expect(stale.status == 0 && stale.error.contains("said 1 d ago"))
    #expect(try user(stale.json)["freshness"]?.string == "stale")
    #expect(
      try verify(bob, [object]).verdicts.first?["reason"]?.string?.contains("not confirmed lately") == true)
    try await age(bob.cache, of: id, by: 7 * Self.day)
    let expired = try bob.run("resolve", id)
    #expect(try expired.status == 69 && user(expired.json)["result"]?.string == "expired")
    #expect(try bob.code("history", id, status: 69) == "expired")
    let unresolved = try verify(bob, [object])
    #expect(unresolved.status == 69 && unresolved.verdicts.first?["verdict"]?.string == "unresolved")
  }

  @Test func offlineAsksNobodyAndTheNextCommandAsksAgain() throws {
    let alice = try world.person("alice")
    let id = try alice.id
    let bob = try stranger("bob")
    #expect(try bob.code("resolve", id, "--offline", status: 69) == "offline")
    try bob.done("resolve", id)
    try alice.done("rotate")
    let object = try alice.signed("x")
    // The registrar is there, and would show another key.
    let kept = try bob.run("resolve", id, "--offline")
    #expect(kept.status == 0 && kept.error.contains("--offline"))
    #expect(try user(kept.json)["state"]?.object?["sequence"]?.integer == 0)
    #expect(try bob.done("history", id, "--offline")["entries"]?.array?.count == 1)
    #expect(try verify(bob, [object], "--offline").verdicts.first?["verdict"]?.string == "invalid")
    // What an earlier command heard a moment ago is not good enough for the next.
    let verified = try verify(bob, [object])
    #expect(verified.verdicts.first?["verdict"]?.string == "valid" && verified.error.isEmpty)
    #expect(try user(try bob.done("resolve", id))["state"]?.object?["sequence"]?.integer == 1)
    #expect(try user(try bob.done("resolve", id, "--offline"))["state"]?.object?["sequence"]?.integer == 1)
  }

  /// The registrar is set back to an old backup between two commands.
  @Test func aRollbackIsAConflict() async throws {
    let alice = try world.person("alice")
    let id = try alice.id
    let bob = try stranger("bob")
    let (data, backup) = (world.folder.path("data"), world.folder.path("backup"))
    world.registrar.stop()
    try copy(data, to: backup)
    let first = try restart()
    try alice.done("rotate", "--no-cache")
    try bob.done("resolve", id)
    let object = try alice.signed("x")
    first.stop()
    try FileManager.default.removeItem(atPath: data)
    try FileManager.default.moveItem(atPath: backup, toPath: data)
    let second = try restart()
    defer { second.stop() }

    let resolved = try bob.run("resolve", id)
    #expect(try resolved.status == 1 && user(resolved.json)["result"]?.string == "conflict")
    #expect(try user(resolved.json)["kind"]?.string == "rollback")
    #expect(try bob.code("history", id) == "conflict")
    #expect(try verify(bob, [object]).verdicts.first?["verdict"]?.string == "conflict")
    try bob.done("resolve", id, "--no-cache")
    // Her cache has an older pin than her keystore remembers: the history must go on from both.
    for command in ["show", "rotate"] { #expect(try alice.code(command) == "conflict") }
    #expect(try await pin(alice, id)?.sequence == 0)
  }

  /// With owners and modes: the cluster's folder may belong to another user.
  private func copy(_ folder: String, to target: String) throws {
    let process = try Process.run(URL(filePath: "/bin/cp"), arguments: ["-a", folder, target])
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
  }

  private func restart() throws -> RegistrarProcess {
    try RegistrarProcess(
      data: world.folder.path("data"),
      arguments: [
        "--listen", "127.0.0.1:\(world.registrar.port)", "--app", KeystoreWorld.chat, "--app", KeystoreWorld.forum,
      ], log: world.folder.path("log"))
  }

  private func pin(_ person: Person, _ id: String) async throws -> Pin? {
    let (app, user) = (try #require(AppID(person.app)), try #require(UserID(id)))
    return try await CacheFile(path: person.cache).store(of: app).pins(of: [user])[user]
  }

  /// A keystore that is behind must not set the pin back.
  @Test func anOlderKeystoreKeepsTheNewerPin() async throws {
    let alice = try world.person("alice")
    let laptop = try alice.copy("laptop")
    for _ in 0..<2 { try alice.done("rotate") }
    let before = try #require(try await pin(alice, try alice.id))
    #expect(before.sequence == 2)
    try laptop.done("show")
    #expect(try laptop.code("rotate") == "key-elsewhere")
    let after = try #require(try await pin(alice, try alice.id))
    #expect(after.sequence == 2 && after.head == before.head && after.asOf.time >= before.asOf.time)
  }

  /// A cache that cannot be read is no cache that is empty.
  @Test func aDamagedCacheIsAFailure() throws {
    let alice = try world.person("alice")
    let id = try alice.id
    let bob = try stranger("bob")
    try bob.done("resolve", id)
    let bytes = try Data(contentsOf: URL(filePath: bob.cache))
    try bytes.prefix(bytes.count / 2).write(to: URL(filePath: bob.cache))
    let outcome = try bob.run("resolve", id)
    #expect(outcome.status == 1 && outcome.json["error"]?.object?["code"]?.string == "cache")
    #expect(outcome.error.contains("is damaged") && outcome.error.contains("--no-cache"))
    #expect(try Data(contentsOf: URL(filePath: bob.cache)).count == bytes.count / 2, "and it is left as it is")
    try bob.done("resolve", id, "--no-cache")
    try bob.done("resolve", id, "--cache", "\(bob.folder)/other.sqlite")
    #expect(FileManager.default.fileExists(atPath: "\(bob.folder)/other.sqlite"))
    #expect(try bob.run("resolve", id, "--cache", "x", "--no-cache").status == 64)
  }

  /// Without a place for a cache that nobody asked for, commands do without.
  @Test func aHomeThatCannotBeWritten() throws {
    let alice = try world.person("alice")
    let arguments = ["resolve", try alice.id, "--registrar", world.url, "--app", KeystoreWorld.chat]
    let outcome = try BuiltProgram.run("peerkey", arguments, environment: ["XDG_DATA_HOME": "/proc/nowhere"])
    #expect(outcome.status == 0 && outcome.error.contains("note: nothing is kept of this command"))
    let named = try BuiltProgram.run("peerkey", arguments, environment: ["PEERKEY_CACHE": "/proc/nowhere/x"])
    #expect(named.status == 1 && named.error.contains("/proc/nowhere"))
  }

  /// Objects wait for their signer, and are judged when the claim is there.
  @Test func quarantine() throws {
    var alice = try world.person("alice")
    let id = try alice.id
    let objects = [try alice.signed("x"), try alice.signed("y")]
    let forged = objects[0].replacing("\"id\":\"x\"", with: "\"id\":\"z\"")
    var bob = try stranger("bob")
    bob.app = KeystoreWorld.forum
    #expect(try bob.done("quarantine", "list")["signers"]?.array == [])
    #expect(try verify(bob, objects).verdicts.allSatisfy { $0["verdict"]?.string == "unresolved" })
    #expect(try bob.done("quarantine", "list")["signers"]?.array == [], "only who asks for it")

    let verified = try verify(bob, objects + [forged], "--quarantine")
    #expect(verified.status == 0 && verified.error.contains("note: 3 objects were put into the quarantine"))
    let listed = try #require(try bob.done("quarantine", "list")["signers"]?.array?.first?.object)
    #expect(listed["signer"]?.string == id && listed["count"]?.integer == 3)
    #expect(listed["bytes"]?.integer == Int64((objects + [forged]).reduce(0) { $0 + $1.utf8.count }))
    #expect(listed["oldest"]?.integer.map { $0 <= Person.now() && $0 > Person.now() - 600_000 } == true)

    let early = try bob.done("quarantine", "retry")
    #expect(early["judged"]?.array == [] && early["waiting"]?.integer == 3)
    var offline = bob
    offline.registrar = "http://127.0.0.1:1"
    #expect(try offline.run("quarantine", "retry").status == 69)

    alice.app = KeystoreWorld.forum
    try alice.done("claim")
    for command in [["quarantine", "retry", "--keep"], ["quarantine", "retry"]] {
      let retried = try bob.run(command)
      let judged = try #require(retried.json["judged"]?.array).compactMap(\.object)
      #expect(retried.status == 0 && retried.json["waiting"]?.integer == 0)
      #expect(Set(judged.map { $0["text"]?.string }) == Set(objects + [forged]))
      for object in judged {
        #expect(object["verdict"]?.string == (object["id"]?.string == "z" ? "invalid" : "valid"))
        #expect(object["signer"]?.string == id)
      }
      #expect(judged.compactMap { $0["received"]?.integer }.min() == listed["oldest"]?.integer)
    }
    #expect(try bob.done("quarantine", "list")["signers"]?.array == [], "what was judged is released")
  }

  @Test func quarantineDrop() throws {
    let (alice, carol) = (try world.person("alice"), try world.person("carol"))
    var bob = try stranger("bob")
    bob.app = KeystoreWorld.forum
    _ = try verify(bob, [try alice.signed("x"), try carol.signed("y"), try carol.signed("z")], "--quarantine")
    #expect(try bob.run("quarantine", "drop").status == 64)
    #expect(try bob.done("quarantine", "drop", try carol.id)["dropped"]?.integer == 2)
    #expect(try bob.done("quarantine", "drop", "--all")["dropped"]?.integer == 1)
    #expect(try verify(bob, [try alice.signed("x")], "--quarantine", "--no-cache").status == 64)
  }
}
