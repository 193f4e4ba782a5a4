import Foundation
import PeerstackFormat
import RegistryTestKit
import Testing

/// Recoveries that others approve, and how they are stopped.
@Suite(.serialized) struct KeystoreFriendsTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  /// Alice with two of three friends, whose recoveries can be stopped for a while.
  private func circle(delay: String) throws -> (alice: Person, friends: [Person], id: String) {
    let alice = try world.person("alice")
    let friends = try ["bob", "carol", "dave"].map { try world.person($0) }
    let keys = try friends.flatMap { ["--tier-key", try #require(try $0.currentKey())] }
    let amended = try alice.run(
      ["amend", "--add-tier", "friends", "--threshold", "2", "--delay", delay] + keys)
    try #require(amended.status == 0, "\(amended.error)")
    return (alice, friends, try alice.id)
  }

  private func approval(of request: String, by friend: Person) throws -> String {
    let path = try world.file("request-\(friend.name)", "Dear \(friend.name),\r\n> \(request.prefix(70))\n\(request)\n")
    let answer = try friend.done("approve", path, "--yes")
    return try world.file("approval-\(friend.name)", "Here:\n\(try #require(answer["approval"]?.string))\nYours\n")
  }

  @Test func twoOfThreeFriendsRecoverAfterADelay() throws {
    let (_, friends, id) = try circle(delay: "8s")
    // Friends may have changed keys since they were named.
    try friends[0].done("rotate")
    let device = Person(world, "alice-2")
    let asked = try device.run("recover", "--id", id, "--request")
    #expect(asked.status == 2 && asked.json["effect"]?.string == "missing")
    #expect(asked.json["missing"]?.array?.map(\.integer) == [1, 1, 2])
    let request = try #require(asked.json["request"]?.string)
    #expect(try device.run("recover", "--request").json["request"]?.string == request, "it waits as it is")
    let first = try approval(of: request, by: friends[0])
    let one = try device.run("recover", "--approval", first)
    #expect(one.status == 2 && one.json["missing"]?.array?.map(\.integer) == [1, 1, 1])
    // The same friend twice is one friend.
    #expect(try device.run("recover", "--approval", first, "--approval", first).status == 2)
    let second = try approval(of: request, by: friends[2])
    let trial = try device.done("recover", "--approval", first, "--approval", second, "--dry-run")
    #expect(trial["effect"]?.string == "pending" && trial["stoppableBy"]?.array?.map(\.integer) == [0, 1, 2])
    let recovered = try device.run("recover", "--approval", first, "--approval", second)
    #expect(recovered.status == 2 && recovered.json["effect"]?.string == "pending")
    #expect(recovered.json["rank"]?.integer == 2, "\(recovered.error)")
    // Time alone brings it into effect; the next command that changes anything notices.
    let deadline = ContinuousClock.now + .seconds(120)
    while try device.state()["pending"]?.isNull == false && ContinuousClock.now < deadline {}
    let key = try device.currentKey()
    #expect(key == recovered.json["publicKey"]?.string)
    try device.done("amend")
    #expect(try device.verdicts([try device.signed("x")]) == ["valid"])
  }

  @Test func theOwnerStopsFriends() throws {
    let (alice, friends, id) = try circle(delay: "3d")
    let device = Person(world, "not-alice")
    let request = try #require(try device.run("recover", "--id", id, "--request").json["request"]?.string)
    let approvals = try friends.prefix(2).flatMap { ["--approval", try approval(of: request, by: $0)] }
    #expect(try device.run(["recover"] + approvals).status == 2)
    #expect(try alice.state()["pending"]?.object?["rank"]?.integer == 2)
    // Nothing new: a veto.
    try alice.done("amend")
    #expect(try alice.state()["pending"]?.isNull == true)
    #expect(try device.code("rotate") == "key-elsewhere")
    #expect(try device.done("show")["changes"]?.array?.isEmpty == true)
    #expect(try device.code("recover", "--approval", approvals[1]) == "no-request", "the head has moved")
  }

  @Test func hostileAndDamagedTexts() throws {
    let (alice, friends, id) = try circle(delay: "0")
    let device = Person(world, "alice-2")
    let request = try #require(try device.run("recover", "--id", id, "--request").json["request"]?.string)
    let own = try world.file("own", request)
    #expect(try alice.code("approve", own, "--yes") == "own-request", "friends' keys do not change their own identity")
    let damaged = try world.file("damaged", String(request.dropLast()) + "x")
    #expect(try friends[0].code("approve", damaged, "--yes") == "request")
    let stranger = try world.person("stranger")
    #expect(try stranger.code("approve", own, "--yes") == "not-authorised")
    let approval = try approval(of: request, by: friends[0])
    let text = try String(contentsOfFile: approval, encoding: .utf8)
    let cut = try world.file("cut", text.replacingOccurrences(of: "APPROVAL-1.ey", with: "APPROVAL-1.eY"))
    #expect(try device.code("recover", "--approval", cut) == "approval")
    // Another request of another device: its digits differ.
    let other = Person(world, "alice-3")
    let second = try #require(try other.run("recover", "--id", id, "--request").json["request"]?.string)
    #expect(second != request)
    #expect(try other.code("recover", "--approval", approval) == "approval")
    // When the head moves, a request is of no use any more.
    try alice.done("rotate")
    #expect(try friends[1].code("approve", own, "--yes") == "stale-head")
  }

  /// The tier of the app's admins breaks continuity, and everybody is told.
  @Test func adminsRecoverWithANewIncarnation() throws {
    let alice = try world.person("alice")
    let id = try alice.id
    try alice.done("amend", "--add-tier", "registrar", "--delay", "24h")
    let device = Person(world, "alice-2")
    let asked = try device.run("recover", "--id", id, "--tier", "registrar")
    #expect(asked.status == 2)
    let request = try world.file("request", try #require(asked.json["request"]?.string))
    let answer = try Person(world, "admin").done("approve", "--key-file", world.adminKey, request, "--yes")
    let approval = try world.file("approval", try #require(answer["approval"]?.string))
    let recovered = try device.run("recover", "--tier", "registrar", "--approval", approval)
    #expect(
      recovered.status == 2 && recovered.json["tier"]?.object?["role"]?.string == "registrar", "\(recovered.error)")
    // Paper outranks it.
    let stopped = try alice.done("recover", "--paper-key-file", alice.paper)
    #expect(stopped["state"]?.object?["pending"]?.isNull == true)
  }
}
