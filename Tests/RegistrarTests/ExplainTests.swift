import Cryptography
import Foundation
import KeyRecords
import PeerstackFormat
import RegistryTestKit
import Testing

/// `registrar explain`, asked of a running registrar and of the database.
@Suite(.serialized) struct ExplainTests {
  private let world: AdminWorld

  init() throws { world = try AdminWorld() }

  private func words(_ explanation: JSONObject) -> String {
    (explanation["words"]?.array ?? []).compactMap(\.string).joined(separator: "\n")
  }

  @Test func aRotationThatIsFine() throws {
    var (user, head) = try world.claimed(TestUser(app: world.app, created: TestPerson.now))
    let rotation = user.rotate(after: head, at: TestPerson.now + 1)
    let fine = try world.explained(rotation)
    #expect(fine["outcome"] == "effective" && fine["rule"] == "§5.5" && fine["rank"] == 1)
    #expect(fine["tier"] == ["role": "signer"] && fine["stoppableBy"]?.isNull == true && fine["code"]?.isNull == true)
    #expect(fine["effective"]?.integer != nil)
    #expect(words(fine).contains("in effect at once") && words(fine).contains("rank 1, tier signer"))
    #expect(try world.http.get("/apps/chat.example/users/\(user.id)").json["sequence"] == 0, "nothing is done")
    #expect(try world.post(rotation).status == 201)
    #expect(try world.explained(rotation)["outcome"] == "same")

    let stale = try world.explained(user.rotate(after: head, at: TestPerson.now + 2))
    #expect(stale["outcome"] == "refused" && stale["code"] == "stale-head" && stale["rule"] == "§5.4")
    #expect(stale["head"]?.string == (try world.record(rotation).hash.hex))
    #expect(words(stale).contains(try world.record(rotation).hash.hex))
  }

  @Test func whatIsMissingIsSaidPerTier() throws {
    var (user, head) = try world.claimed(TestUser(app: world.app, created: TestPerson.now, hasRegistrarTier: true))
    let recovery = user.recover(after: head, at: TestPerson.now + 1, by: SigningKey.generate())
    let explanation = try world.explained(recovery)
    #expect(explanation["code"] == "not-authorised" && explanation["rule"] == "§5.5")
    let missing = try #require(explanation["missing"]?.array).map { $0.object ?? [:] }
    #expect(missing.map { $0["rank"]?.integer } == [0, 1, 2])
    #expect(missing.map { $0["missing"]?.integer } == [1, 1, 1])
    #expect(missing.first?["tier"]?.object?["name"] == "paper")
    #expect(words(explanation).contains("rank 0 paper (1 key): 1 approval missing"))

    // The paper key may not rotate: its rank is met, and is not the signer's.
    var draft = RecordDraft(.rotate, after: head, now: TestPerson.now + 1)
    let key = SigningKey.generate()
    (draft.publicKey, draft.publicBoxKey, draft.reason) = (key.verifyingKey, key.boxKey.publicKey, .routine)
    let rotation = draft.draft.signed(approvals: [draft.draft.approval(by: user.paper)], by: key)
    #expect(words(try world.explained(rotation)).contains("a rotate wants the signer's rank exactly"))
  }

  @Test func aThiefWhoTouchesPaperIsToldWhatIsProtected() throws {
    let (user, head) = try world.claimed(TestUser(app: world.app, created: TestPerson.now))
    let other = SigningKey.generate().verifyingKey
    var draft = RecordDraft(.amend, after: head, now: TestPerson.now + 1)
    draft.authority = try #require(
      Authority(tiers: [.keys(name: "paper", keys: [other], threshold: 1, delay: 0), .signer]))
    let explanation = try world.explained(draft.draft.signed(by: user.key))
    #expect(explanation["code"] == "tier-protected" && explanation["rule"] == "§5.6" && explanation["rank"] == 1)
    #expect(words(explanation).contains("rank 1: what stands above must stay"))
  }

  @Test func whatIsPendingCanBeStopped() throws {
    var (user, head) = try world.claimed(TestUser(app: world.app, created: TestPerson.now, hasRegistrarTier: true))
    let admin = try Self.adminKey(world.folder.path("admin0"))
    let recovery = user.recover(after: head, at: TestPerson.now + 1, by: admin, incarnation: 1)
    let explanation = try world.explained(recovery)
    #expect(explanation["outcome"] == "pending" && explanation["rule"] == "§5.7" && explanation["rank"] == 2)
    let stoppers = try #require(explanation["stoppableBy"]?.array).map { $0.object ?? [:] }
    #expect(stoppers.map { $0["rank"]?.integer } == [0, 1, 2])
    #expect(stoppers.first?["tier"]?.object?["name"] == "paper")
    #expect(stoppers.allSatisfy { $0["how"]?.string?.contains("amend") == true })
    #expect(words(explanation).contains("a delay of 1 day") && words(explanation).contains("rank 0 paper (1 key)"))
    #expect(try world.post(recovery).status == 201)
    let sent = try world.explained(recovery)
    #expect(sent["outcome"] == "same" && words(sent).contains("pending"))
  }

  @Test func policiesAndWhatIsNoRecord() throws {
    let draft = try world.run(["app", "policy", "draft", "chat.example", "--admission", "invite"] + world.served)
    let stranger = world.folder.path("stranger")
    #expect(try world.run(["keygen", stranger]).status == 0)
    let strange = try world.run(["app", "policy", "sign", "-", "--admin-key", stranger], input: draft.output)
    let refused = try world.explained(strange.output)
    #expect(refused["code"] == "not-authorised" && refused["rule"] == "§7" && refused["missing"] == 1)
    let signed = try world.run(["app", "policy", "sign", "-"] + world.key(0), input: draft.output)
    let fine = try world.explained(signed.output)
    #expect(fine["outcome"] == "effective" && fine["rule"] == "§7")
    let unsigned = try world.explained(draft.output)
    #expect(unsigned["code"] == "invalid-field" && unsigned["rule"] == "§5.1")
    let nothing = try world.run(["explain", "-"] + world.served, input: Array("[]".utf8))
    #expect(nothing.status == 1 && nothing.error.contains("--app"))
    let named = try world.run(["explain", "-", "--app", "chat.example"] + world.served, input: Array("nonsense".utf8))
    #expect(named.status == 0 && named.lines.joined().contains("malformed"))
  }

  private static func adminKey(_ path: String) throws -> SigningKey {
    let fields = try JSONValue.parseStrict([UInt8](Data(contentsOf: URL(filePath: path)))).object
    let secret = try #require(fields?["secretKey"]?.jsonString)
    return try PeerstackKeys.signingKey(secret)
  }
}
