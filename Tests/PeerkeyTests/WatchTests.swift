import PeerstackFormat
import RegistryTestKit
import Testing

/// `peerkey watch` as it runs: what it prints, and how it ends.
@Suite(.serialized) struct WatchTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  /// Another process of the same keystore changes things: they are shown as one's own, each once.
  @Test func ownChangesAreShownAndAreNoAlarm() throws {
    let alice = try world.person("alice")
    let watch = try WatchProcess(alice)
    let rotated = try alice.done("rotate")
    let first = try watch.next()
    #expect(first["action"]?.string == "rotate" && first["subject"]?.string == rotated["id"]?.string)
    #expect(first["index"] == rotated["index"] && first["sequence"]?.integer == 1)
    #expect(first["own"]?.bool == true && first["pending"]?.bool == false)
    // Neither strangers nor what changes nothing about the key are mistaken.
    _ = try world.person("bob")
    try alice.done("amend", "--expires", "2099-01-01")
    let second = try watch.next()
    #expect(second["action"]?.string == "amend" && second["own"]?.bool == true)
    try alice.done("revoke")
    #expect(try watch.next()["action"]?.string == "revoke")
    #expect(watch.interrupt() == 0)
    #expect(try watch.rest().isEmpty)
  }

  @Test func aThiefWhoRotatesEndsItWithThree() throws {
    let alice = try world.person("alice")
    let thief = try alice.copy("thief")
    let watch = try WatchProcess(alice)
    try thief.done("rotate")
    let entry = try watch.next()
    #expect(entry["action"]?.string == "rotate" && entry["own"]?.bool == false)
    #expect(entry["text"]?.string?.contains("THIS IS YOUR ID") == true)
    #expect(watch.wait() == 3)
    #expect(try watch.complaints.contains("peerkey: SOMETHING HAPPENED TO YOUR ID"))
  }

  /// The thief's amendment is signed with a key that the keystore holds, and is none of its own all the same.
  @Test func aThiefWhoAmendsIsNoticedByACommandThatLooksBack() throws {
    let alice = try world.person("alice")
    let thief = try alice.copy("thief")
    try thief.done("amend", "--expires", "2099-01-01")
    let watch = try WatchProcess(alice, ["--after", "start"])
    #expect(try watch.next()["action"]?.string == "claim", "the policy is nobody's")
    let entry = try watch.next()
    #expect(entry["action"]?.string == "amend" && entry["own"]?.bool == false)
    #expect(watch.wait() == 3)
  }

  /// A command of the owner's that builds on the thief's record does not make it the owner's.
  @Test func aThiefWhoAmendsIsNoticedAlsoBehindTheOwnersNextRecord() throws {
    let alice = try world.person("alice")
    let thief = try alice.copy("thief")
    #expect(try alice.done("show")["foreign"]?.array?.isEmpty == true)
    let stolen = try thief.done("amend", "--expires", "2099-01-01")
    try alice.done("amend")
    try alice.done("rotate")
    let shown = try alice.run("show")
    let foreign = try #require(shown.json["foreign"]?.array).compactMap(\.object)
    #expect(foreign.count == 1 && foreign.first?["record"] == stolen["record"] && shown.status == 0)
    #expect(shown.error.contains("RECORDS THAT THIS KEYSTORE DID NOT MAKE"))
    let watch = try WatchProcess(alice, ["--after", "start", "--follow"])
    let own = try (0..<4).map { _ in try watch.next()["own"]?.bool }
    #expect(own == [true, false, true, true], "the claim, the thief, the owner twice")
    #expect(watch.interrupt() == 0)
    #expect(try WatchProcess(alice, ["--after", "start"]).wait() == 3)
  }

  /// What the owner did on another device is acknowledged once; what a thief did next to it stays an alarm.
  @Test func whatTheOwnerAcknowledgesIsNoAlarmAnyMore() throws {
    let alice = try world.person("alice")
    let tablet = try alice.copy("tablet")
    let (first, second) = (try tablet.done("amend", "--expires", "2099-01-01"), try tablet.done("rotate"))
    let hashes = try [first, second].map { try #require($0["record"]?.string) }
    let unknown = String(repeating: "0", count: 64)
    #expect(try alice.code("acknowledge", hashes[0], unknown, "--yes") == "unknown-record")
    #expect(try alice.done("show")["foreign"]?.array?.count == 2, "all or nothing")
    let noted = try alice.done("acknowledge", hashes[1], hashes[0], hashes[1], "--yes")
    let entries = try #require(noted["acknowledged"]?.array).compactMap(\.object)
    #expect(
      entries.map { $0["record"]?.string } == hashes && entries.map { $0["action"]?.string } == ["amend", "rotate"])
    #expect(try alice.done("acknowledge", hashes[0], "--yes")["acknowledged"]?.array?.isEmpty == true)
    #expect(try alice.done("show")["foreign"]?.array?.isEmpty == true)

    let watch = try WatchProcess(alice, ["--after", "start"])
    #expect(try (0..<3).map { _ in try watch.next()["own"]?.bool } == [true, true, true])
    // The same key, and nobody has acknowledged this.
    try tablet.done("amend", "--expires", "2098-01-01")
    let alarm = try watch.next()
    #expect(alarm["own"]?.bool == false && watch.wait() == 3)
    let hash = try #require(alarm["record"]?.string)
    #expect(alarm["text"]?.string?.contains(hash) == true)
    #expect(try alice.done("acknowledge", hash, "--yes")["acknowledged"]?.array?.count == 1)
  }

  /// What an id had before it came to a new device is nobody's doing, for all that device can tell.
  @Test func aNewDeviceRaisesNoAlarmAboutThePast() throws {
    let alice = try world.person("alice")
    try alice.done("rotate")
    let device = Person(world, "device")
    try device.done("recover", "--id", try alice.id, "--paper-key-file", alice.paper)
    #expect(try device.done("show")["foreign"]?.array?.isEmpty == true)
    let foreign = try #require(try alice.done("show")["foreign"]?.array).compactMap(\.object)
    #expect(foreign.map { $0["action"]?.string } == ["recover"], "to the old device it is somebody else")
    try device.done("rotate")
    #expect(try device.done("show")["foreign"]?.array?.isEmpty == true)
  }

  @Test func followGoesOnAfterAnAlarm() throws {
    let alice = try world.person("alice")
    let thief = try alice.copy("thief")
    let watch = try WatchProcess(alice, ["--follow"])
    try thief.done("rotate")
    #expect(try watch.next()["own"]?.bool == false)
    try alice.done("recover", "--paper-key-file", alice.paper)
    let entry = try watch.next()
    #expect(entry["action"]?.string == "recover" && entry["own"]?.bool == true)
    #expect(watch.interrupt() == 0)
  }

  /// Friends recover with a delay: shown with the time until when it can be stopped, and how.
  @Test func aDelayedRecoveryIsShownWithItsTime() throws {
    let alice = try world.person("alice")
    let friend = try world.person("bob")
    let key = try #require(try friend.currentKey())
    try alice.done("amend", "--add-tier", "friends", "--tier-key", key, "--delay", "3d")
    let watch = try WatchProcess(alice)
    let device = Person(world, "not-alice")
    let request = try #require(
      try device.run("recover", "--id", try alice.id, "--request").json["request"]?.string)
    let answer = try friend.done("approve", try world.file("request", request), "--yes")
    let approval = try world.file("approval", try #require(answer["approval"]?.string))
    let recovered = try device.run("recover", "--approval", approval)
    try #require(recovered.status == 2, "\(recovered.error)")
    let entry = try watch.next()
    #expect(entry["action"]?.string == "recover" && entry["rank"]?.integer == 2)
    #expect(entry["pending"]?.bool == true && entry["effective"] == recovered.json["effective"])
    let text = try #require(entry["text"]?.string)
    #expect(text.contains("PENDING until 20") && text.contains("can be stopped by 0 paper, 1 signer, 2 friends"))
    #expect(text.contains("peerkey amend (a veto") && text.contains("peerkey recover with the paper key"))
    #expect(watch.wait() == 3)
    // After the veto, whoever looks back sees that it came to nothing.
    try alice.done("amend")
    let later = try WatchProcess(alice, ["--after", String(try #require(entry["index"]?.integer) - 1), "--follow"])
    let past = try later.next()
    #expect(past["pending"]?.bool == false && past["text"]?.string?.contains(": cancelled; THIS IS YOUR ID") == true)
    #expect(try later.next()["action"]?.string == "amend")
    #expect(later.interrupt() == 0)
  }

  /// Somebody without a keystore watches everybody, over a restart of the registrar.
  @Test func aRestartLosesAndRepeatsNothing() throws {
    var alice = try world.person("alice")
    let port = world.registrar.port
    let nobody = Person(world, "nobody")
    let watch = try WatchProcess(nobody, ["--all"])
    try alice.done("rotate")
    var indexes = [try watch.next()["index"]?.integer]
    #expect(world.registrar.stop() == 0)
    let again = try RegistrarProcess(
      data: world.folder.path("data"),
      arguments: ["--listen", "127.0.0.1:\(port)", "--app", KeystoreWorld.chat, "--app", KeystoreWorld.forum],
      log: world.folder.path("log"))
    alice.registrar = "http://127.0.0.1:\(again.port)"
    for _ in 0..<3 { try alice.done("rotate") }
    for _ in 0..<3 { indexes.append(try watch.next()["index"]?.integer) }
    let first = try #require(indexes[0])
    #expect(indexes == (first..<first + 4).map { $0 })
    #expect(watch.interrupt() == 0)
    #expect(try watch.rest().isEmpty)
    #expect(try watch.complaints.contains("note: "), "it says that the registrar was away")
    again.stop()
  }

  /// The feed of an app for members is asked for with the key in force, also after that has changed.
  @Test func membersWatchAnAppOfMembers() throws {
    var alice = Person(world, "alice")
    alice.app = "club.example"
    let created = try BuiltProgram.run(
      "registrar",
      [
        "app", "create", alice.app, "--admin-key", world.adminKey, "--record-read", "members", "--data",
        world.folder.path("data"),
      ])
    try #require(created.status == 0, "\(created.error)")
    try alice.done("new", "--paper-key-out", alice.paper)
    try alice.done("claim")
    let watch = try WatchProcess(alice)
    try alice.done("rotate")
    #expect(try watch.next()["own"]?.bool == true)
    let again = try WatchProcess(alice, ["--after", "0"])
    #expect(try again.next()["action"]?.string == "claim")
    var nobody = Person(world, "nobody")
    nobody.app = alice.app
    #expect(try nobody.code("watch", "--all") == "no-keystore")
    #expect(watch.interrupt() == 0)
    #expect(again.interrupt() == 0)
  }

  /// A registrar, or somebody on the way, changes a record, or leaves an entry out.
  @Test(arguments: [("\"reason\":\"routine\"", "\"reason\":\"Routine\""), ("{\"index\":3,", "{\"index\":4,")])
  func aLieEndsItWithOne(_ from: String, _ to: String) throws {
    let alice = try world.person("alice")
    let proxy = try HoldingProxy(to: world.registrar.port)
    var there = alice
    there.registrar = proxy.url
    let watch = try WatchProcess(there)
    try alice.done("rotate")
    #expect(try watch.next()["index"]?.integer == 2, "the policy, the claim, and this")
    proxy.forge(from, as: to)
    try alice.done("rotate")
    #expect(try watch.next()["error"]?.object?["code"]?.string == "conflict")
    #expect(watch.wait() == 1)
    #expect(try watch.complaints.contains("do not trust the feed of \(proxy.url)"))
  }

  @Test func whatCannotBeWatchedIsSaid() throws {
    let alice = try world.person("alice")
    #expect(try alice.code("watch", "--after", "1000000") == "conflict")
    var elsewhere = alice
    elsewhere.app = "nowhere.example"
    #expect(try elsewhere.code("watch") == "unknown-app")
    #expect(try Person(world, "nobody").code("watch") == "no-keystore")
  }
}

/// A running `peerkey watch --json`.
private struct WatchProcess {
  private let program: RunningProgram

  /// Starts it, and waits until it watches.
  init(_ person: Person, _ arguments: [String] = []) throws {
    program = try RunningProgram("peerkey", try person.arguments(["watch"] + arguments))
    try program.waitForComplaint("watching ")
  }

  /// What it said on standard error.
  var complaints: String { get throws { try program.complaints } }

  /// The next line, for which it waits.
  func next() throws -> JSONObject {
    try #require(try JSONValue.parseStrict(Array(try program.line().utf8)).object)
  }

  /// Its exit status.
  func wait() -> Int32 { program.end() }

  /// Types ^C; the exit status.
  func interrupt() -> Int32 { program.interrupt() }

  /// What it printed that nobody has read.
  func rest() throws -> [UInt8] { try program.rest() }
}
