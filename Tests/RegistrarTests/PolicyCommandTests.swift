import Foundation
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryTestKit
import Testing

/// How admins change a policy and invite.
@Suite(.serialized) struct PolicyCommandTests {
  @Test func twoOfThreeAdminsChangeAPolicyWithKeysElsewhere() throws {
    let world = try AdminWorld(admins: 3, threshold: 2)
    let change = ["--contest-window", "2d", "--bound-since", "never"]
    let draft = try world.run(["app", "policy", "draft", "chat.example"] + change + world.served)
    try #require(draft.status == 0, "\(draft.error)")
    #expect(draft.error.contains(world.admins[2]), "who may sign is said")
    let unsigned = try world.write(draft.output, to: "unsigned")
    #expect(try world.run(["app", "policy", "post", unsigned] + world.served).status == 1)

    // Each admin's machine has the key and the file, and neither registrar nor database.
    let file = try world.write(draft.output, to: "policy")
    let shown = try world.run(["app", "policy", "sign", "--show", file])
    #expect(shown.status == 0 && shown.lines.contains("  contestWindow: 172800000"))
    #expect(world.admins.allSatisfy { shown.lines.contains("    \($0)") })
    #expect(try world.run(["app", "policy", "sign", file]).status == 64, "nobody signs without a key")
    let one = try world.run(["app", "policy", "sign", file] + world.key(0))
    #expect(one.status == 0, "\(one.error)")
    let early = try world.run(["app", "policy", "post", file] + world.served)
    #expect(early.status == 1 && early.error.contains("1 more of the app's admins"))
    let two = try world.run(["app", "policy", "sign", file] + world.key(2))
    #expect(two.status == 0 && two.error.contains("\(world.admins[0]) must sign"))
    let open = try world.run(["app", "policy", "post", file] + world.served)
    #expect(open.status == 1 && open.error.contains(world.admins[0]), "who has to sign last is named")
    #expect(try world.policy()["sequence"] == 0)
    #expect(try world.run(["app", "policy", "sign", file] + world.key(0)).status == 0)
    let posted = try world.run(["app", "policy", "post", file] + world.served)
    #expect(posted.status == 0, "\(posted.error)")
    let policy = try world.policy()
    #expect(policy["sequence"] == 1 && policy["contestWindow"] == 172_800_000 && policy["boundSince"]?.isNull == true)
    #expect(policy["admission"] == "open", "what no flag says stays")
  }

  @Test func inTheRightOrderEveryAdminSignsOnce() throws {
    let world = try AdminWorld(admins: 3, threshold: 2)
    var text = try world.run(["app", "policy", "draft", "chat.example", "--record-read", "members"] + world.data).output
    for admin in [2, 1] { text = try world.run(["app", "policy", "sign", "-"] + world.key(admin), input: text).output }
    let posted = try world.run(["app", "policy", "post", "-"] + world.served, input: text)
    #expect(posted.status == 0, "\(posted.error)")
    #expect(try world.policy()["recordRead"] == "members")
    let again = try world.run(["app", "policy", "post", "-"] + world.data, input: text)
    #expect(again.output == posted.output, "a policy posted twice is answered as the first time")
  }

  @Test func onOneMachineAPolicyIsSetInOneStep() throws {
    let world = try AdminWorld(admins: 2, threshold: 2)
    let set = ["app", "policy", "set", "chat.example", "--admission", "invite"]
    let alone = try world.run(set + world.key(1) + world.data)
    #expect(alone.status == 1 && alone.error.contains("1 more of the app's admins"))
    let both = try world.run(set + world.key(1) + world.key(0) + world.data)
    #expect(both.status == 0, "\(both.error)")
    #expect(try world.policy()["admission"] == "invite", "the running registrar has it")
    let same = try world.run(set + world.key(1) + world.key(0) + world.served)
    #expect(same.status == 64 && same.error.contains("changes nothing"))
    let few = try world.run(["app", "policy", "draft", "chat.example", "--threshold", "3"] + world.served)
    #expect(few.status == 64)
    #expect(try world.run(set + world.key(1) + world.served + world.data).status == 64, "two places")
  }

  @Test func nothingIsSignedThatIsNoPolicyOrWasTamperedWith() throws {
    let world = try AdminWorld()
    let draft = try world.run(["app", "policy", "draft", "chat.example", "--admission", "invite"] + world.served)
    let signed = try world.run(["app", "policy", "sign", "-"] + world.key(0), input: draft.output)
    #expect(signed.status == 0)
    let fields = try #require(JSONValue.parseStrict(Array(signed.output.dropLast())).object)
    let forged = JSONValue.object(fields.setting("contestWindow", to: 1)).text
    let kept = try world.run(["app", "policy", "sign", "-"] + world.key(0), input: forged)
    #expect(kept.status == 1 && kept.error.contains("bad-signature") && kept.output.isEmpty)
    let wrong = JSONValue.object(fields.omitting(["approvals", "signature"]).setting("admission", to: "all")).text
    let refused = try world.run(["app", "policy", "sign", "-"] + world.key(0), input: wrong)
    #expect(refused.status == 1 && refused.error.contains("/admission"))
    let user = try #require(TestUser(app: world.app, created: TestPerson.now))
    let record = try world.run(["app", "policy", "sign", "-"] + world.key(0), input: user.claim(at: TestPerson.now))
    #expect(record.status == 1 && record.output.isEmpty)
  }

  @Test func anInvitationLetsOneClaimIn() throws {
    let world = try AdminWorld(["--admission", "invite"])
    let now = TestPerson.now
    let people = try (0..<3).map { _ in try #require(TestUser(app: world.app, created: now)) }
    func invite(_ options: [String] = []) throws -> [UInt8] {
      let outcome = try world.run(["invite", "chat.example"] + world.key(0) + options)
      #expect(outcome.status == 0, "\(outcome.error)")
      return outcome.output
    }
    let invitation = try invite()
    let claim = people[0].claim(at: now)
    #expect(try world.post(claim).code == "admission-refused")
    let alone = try world.explained(claim)
    #expect(alone["code"] == "admission-refused" && alone["rule"] == "§7")
    let invited = try world.explained(SubmissionBody.text(record: claim, invitation: invitation))
    #expect(invited["outcome"] == "effective" && invited["rule"] == "§5.3", "asking uses nothing up")
    #expect(try world.post(people[0].claim(at: now), invitation: invitation).status == 201)
    #expect(try world.post(people[1].claim(at: now), invitation: invitation).code == "admission-refused")
    let personal = try invite(["--user", people[1].id.text])
    #expect(try world.post(people[2].claim(at: now), invitation: personal).code == "admission-refused")
    #expect(try world.post(people[1].claim(at: now), invitation: personal).status == 201)
    let late = try invite(["--expires", "0"])
    #expect(try world.post(people[2].claim(at: now), invitation: late).code == "admission-refused")
  }

  @Test func healthSaysWhetherTheRegistrarIsReady() throws {
    let world = try AdminWorld()
    #expect(try world.run(["health"] + world.served).status == 0)
    let port = world.server.port
    #expect(world.server.stop() == 0)
    let stopped = try world.run(["health", "--server", "http://127.0.0.1:\(port)"])
    #expect(stopped.status == 1 && stopped.error.contains("127.0.0.1:\(port)"))
    #expect(try world.run(["health", "--server", "nowhere"]).status == 1)
  }
}
