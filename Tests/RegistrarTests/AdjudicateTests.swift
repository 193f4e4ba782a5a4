import Foundation
import KeyRecords
import PeerstackFormat
import RegistryTestKit
import Testing

/// How admins decide between rival claims.
@Suite(.serialized) struct AdjudicateTests {
  /// Long enough for two claims on a busy machine, short enough to wait for.
  private let world: AdminWorld

  init() throws { world = try AdminWorld(["--bound-since", "never", "--contest-window", "3s"]) }

  private struct NoContest: Error {}

  /// The hashes of the claims of a contest. Where the rival came after the window, another id is tried.
  private func contest() throws -> (user: UserID, claims: [RecordHash]) {
    for _ in 0..<20 {
      let id = AdminWorld.unboundID()
      let rivals = try [TestUser(unbound: id, app: world.app), TestUser(unbound: id, app: world.app)].map {
        try #require($0)
      }
      let claims = rivals.map { $0.claim(at: TestPerson.now) }
      #expect(try world.post(claims[0]).status == 201)
      if try world.post(claims[1]).status == 201 { return (rivals[0].id, try claims.map { try world.record($0).hash }) }
    }
    throw NoContest()
  }

  /// Runs a command until it is done; before the window ends it is refused as `contested`.
  private func decided(_ arguments: [String]) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let outcome = try world.run(arguments)
      if outcome.status == 0 { return }
      try #require(outcome.error.contains("contested"), "\(outcome.error)")
      try #require(ContinuousClock.now < deadline, "the window must end")
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private func state(_ user: UserID) throws -> JSONObject {
    try world.http.get("/apps/\(world.app)/users/\(user)").json
  }

  @Test func theClaimsAreShownAndARivalWins() async throws {
    let (user, claims) = try contest()
    #expect(try state(user)["status"] == "contested")
    for place in [world.served, world.data] {
      let shown = try world.run(["adjudicate", "chat.example", user.text, "--json"] + place)
      let rivals = try #require(JSONValue.parseStrict(Array(shown.output.dropLast())).object?["claims"]?.array)
      #expect(rivals.map { $0.object?["record"]?.string } == claims.map(\.hex))
      #expect(rivals.allSatisfy { $0.object?["bound"]?.bool == false && $0.object?["accepted"]?.integer != nil })
    }
    let words = try world.run(["adjudicate", "chat.example", user.text] + world.served)
    #expect(claims.allSatisfy { words.lines.joined().contains($0.hex) })
    let winner = ["--winner", claims[1].hex]
    #expect(try world.run(["adjudicate", "chat.example", user.text] + winner + world.served).status == 64, "no key")
    try await decided(["adjudicate", "chat.example", user.text] + winner + world.key(0) + world.served)
    let state = try state(user)
    #expect(state["status"] == "active" && state["head"]?.string == claims[1].hex)
    let over = try world.run(["adjudicate", "chat.example", user.text] + world.served)
    #expect(over.status == 1 && over.error.contains("active"))
  }

  @Test func whereOnlyMembersReadTheDatabaseShowsTheClaims() throws {
    let set = ["app", "policy", "set", "chat.example", "--record-read", "members"]
    let (user, claims) = try contest()
    #expect(try world.run(set + world.key(0) + world.served).status == 0)
    let served = try world.run(["adjudicate", "chat.example", user.text] + world.served)
    #expect(served.status == 1 && served.error.contains("with the database"))
    let shown = try world.run(["adjudicate", "chat.example", user.text] + world.data)
    #expect(shown.status == 0 && claims.allSatisfy { shown.lines.joined().contains($0.hex) })
  }

  @Test func anAdjudicationIsSignedElsewhere() async throws {
    let (user, claims) = try contest()
    let draft = ["adjudicate", "draft", "chat.example", user.text, "--winner"]
    #expect(try world.run(draft + [String(repeating: "0", count: 64)] + world.served).status == 1, "no such claim")
    let drafted = try world.run(draft + [claims[0].hex] + world.data)
    #expect(drafted.status == 0, "\(drafted.error)")
    let file = try world.write(drafted.output, to: "adjudication")
    #expect(try world.run(["app", "policy", "sign", file] + world.key(0)).status == 1, "it is no policy")
    #expect(try world.run(["adjudicate", "sign", file] + world.key(0)).status == 0)
    try await decided(["adjudicate", "post", file] + world.served)
    #expect(try state(user)["head"]?.string == claims[0].hex)
    let explanation = try world.explained([UInt8](Data(contentsOf: URL(filePath: file))))
    #expect(explanation["outcome"] == "same" && explanation["rule"] == "§5.2")
  }
}
