import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

/// What semantics.json shows of peerstack's own database, with the holes closed: each test plays an attack that
/// succeeds there.
struct PeerstackChecksTests {
  /// An app's database.
  private actor Database: PeerstackObjects {
    private var stored: [JSONString: JSONObject] = [:]

    func object(_ id: JSONString) -> JSONObject? { stored[id] }

    func put(_ object: JSONObject) {
      if let id = object["id"]?.jsonString { stored[id] = object }
    }
  }

  private let world: World
  private let database = Database()
  private let checks: PeerstackChecks

  init() throws {
    world = try World()
    checks = PeerstackChecks(signers: world.resolver, objects: database, clock: world.clock)
  }

  private var now: Milliseconds { world.clock.now() }

  private func code(_ result: Result<ObjectJudgment, PeerstackRefusal>) -> String {
    switch result {
    case .success: "ok"
    case .failure(let refusal): refusal.judgment?.verdict.rawValue ?? refusal.code.rawValue
    }
  }

  private func note(_ id: String = "00mjuo7274nsawphhc1sft3ha", group: String) -> JSONObject {
    ["id": .text(id), "type": "Note", "group": .text(group), "modified": .integer(now), "body": "text"]
  }

  private func change(
    of subject: String, in group: String, _ changes: [JSONValue], deleted: Bool = false
  ) -> JSONObject {
    let change: JSONObject = [
      "id": "00mjuo7274t2stjsse1an7itu", "group": .text(group), "subject": .text(subject), "modified": .integer(now),
      "changes": .array(changes),
    ]
    return deleted ? change.setting("subjectDeleted", to: true) : change
  }

  private func ingest(_ change: JSONObject) async throws -> String { code(try await checks.ingestChange(change)) }
  private func save(_ object: JSONObject) async throws -> String { code(try await checks.save(object)) }

  // MARK: What is allowed

  @Test func honestUsersGetIn() async throws {
    let user = try await world.claimedUser()
    let (id, own) = (user.id.text, user.userObject(modified: now))
    #expect(try await save(own) == "ok")
    #expect(try await save(user.sign(note(group: id))) == "ok")
    #expect(try await ingest(user.sign(change(of: id, in: "users", [["", .object(own)]]))) == "ok")
    await database.put(own)
    #expect(try await ingest(user.sign(change(of: id, in: "users", [["name", "New"]]))) == "ok")
    #expect(
      try await ingest(user.sign(change(of: id, in: "users", [["publicBoxKey", own["publicBoxKey"] ?? .null]]))) == "ok"
    )
    #expect(try await ingest(user.sign(change(of: id, in: "users", [], deleted: true))) == "ok")
    let inside = note(group: id)
    let subject = inside["id"]?.string ?? ""
    #expect(try await ingest(user.sign(change(of: subject, in: id, [["", .object(inside)]]))) == "ok")
    #expect(try await ingest(user.sign(change(of: subject, in: id, [["", .object(user.sign(inside))]]))) == "ok")
    await database.put(inside)
    #expect(try await ingest(user.sign(change(of: subject, in: id, [["body", "b"], ["a.b.0", 1], ["a"]]))) == "ok")
  }

  /// There is no change of key in peerstack; here the history makes one.
  @Test func aRotatedKeyIsTheUsersKey() async throws {
    var user = try await world.claimedUser()
    await database.put(user.userObject(modified: now))
    try await world.rotate(&user)
    #expect(try await save(user.userObject(modified: now)) == "ok")
  }

  @Test func requiredFieldsAndTimes() async throws {
    let user = try await world.claimedUser()
    let good = user.sign(note(group: user.id.text))
    #expect(try await checks.validateData(good) == nil)
    for name in ["id", "type", "group", "modified", "signer", "signature"] {
      #expect(try await checks.validateData(good.omitting([name]))?.code == .field, "\(name)")
    }
    #expect(try await checks.validateData(good.setting("modified", to: 0))?.code == .field)
    for (ahead, isFuture) in [(60_000, false), (60_001, true)] {
      let time = now + Milliseconds(ahead)
      let refusal = try await checks.validateData(good.setting("modified", to: .integer(time)))
      #expect((refusal?.code == .future) == isFuture)
      let id = JSONValue.text(PeerstackID.timePart(now: time) + "aaaaaaaaaaaaaaa")
      #expect((try await checks.validateData(good.setting("id", to: id))?.code == .future) == isFuture)
    }
    let old = JSONValue.text(String(repeating: "f", count: 32))
    #expect(try await checks.validateData(good.setting("id", to: old)) == nil)
    #expect(try await checks.validateData(good.setting("group", to: "users"))?.code == .group)
    #expect(try await checks.validateData(good.setting("type", to: "Group"))?.code == .group)
  }

  // MARK: Attacks

  /// Scenarios 003–005.
  @Test func nothingVouchesForItself() async throws {
    let impostor = try world.newUser()
    let id = impostor.id.text
    #expect(try await save(impostor.userObject(modified: now)) == "user")
    #expect(code(try await checks.verifySigner(impostor.userObject(modified: now))) == "unresolved")
    let key = JSONValue.text(Base64.encode(impostor.key.verifyingKey.bytes32))
    for type in ["Note", "Group"] {
      let object = note(id, group: id).setting("type", to: .text(type)).setting("publicKey", to: key)
      #expect(code(try await checks.verifySigner(impostor.sign(object))) == "unresolved")
    }
    let change = change(of: "s", in: "g", []).setting("id", to: .text(id)).setting("publicKey", to: key)
    #expect(try await ingest(impostor.sign(change)) == "unresolved")
    // Neither signer nor id.
    let nameless: JSONObject = ["publicKey": key, "x": 1]
    let hash = SHA256.hash(CanonicalJSON.bytes(of: .object(nameless)))
    let signed = nameless.setting(
      "signature", to: .text(PeerstackSignature.signatureText(for: hash, with: impostor.key)))
    #expect(code(try await checks.verifySigner(signed)) == "invalid")
  }

  /// Any stored object with a `publicKey` is a signer in peerstack.
  @Test func aStoredObjectIsNoSigner() async throws {
    let user = try await world.claimedUser()
    let thief = SigningKey.generate()
    let planted = note(user.id.text, group: "g").setting(
      "publicKey", to: .text(Base64.encode(thief.verifyingKey.bytes32)))
    await database.put(planted)
    #expect(code(try await checks.verifySigner(user.sign(note(group: "g"), with: thief))) == "invalid")
    #expect(code(try await checks.verifySigner(user.sign(note(group: "g")))) == "ok")
  }

  /// Scenarios 006, 015, 016, 021, 037: other keys, whoever signs them.
  @Test func userObjectsWithStrangeKeysAreRefused() async throws {
    let user = try await world.claimedUser()
    await database.put(user.userObject(modified: now))
    let strange = SigningKey.generate()
    let rekeyed = user.userObject(modified: now, naming: strange)
    #expect(try await save(rekeyed) == "user")
    #expect(try await save(user.sign(rekeyed, with: strange)) == "user")
    for object in [rekeyed, user.sign(rekeyed, with: strange)] {
      let whole = change(of: user.id.text, in: "users", [["", .object(object)]])
      #expect(try await ingest(user.sign(whole)) == "user")
      #expect(try await ingest(user.sign(whole, with: strange)) == "invalid")
    }
    for field in ["publicKey", "publicBoxKey"] {
      let value = rekeyed[field] ?? .null
      let id = user.id.text
      #expect(try await ingest(user.sign(change(of: id, in: "users", [[.text(field), value]]))) == "user")
      #expect(try await ingest(user.sign(change(of: id, in: "users", [[.text(field)]]))) == "user")
      #expect(try await ingest(user.sign(change(of: id, in: "users", [[.text(field + ".0"), "x"]]))) == "user")
      #expect(try await ingest(user.sign(change(of: id, in: "users", [[.text("[\"\(field)\"]"), value]]))) == "change")
    }
  }

  /// Scenario 020 and 041: what was refused must not shut the true user out.
  @Test func refusedObjectsLeaveNoTrace() async throws {
    let user = try world.newUser()
    let impostor = SigningKey.generate()
    let forged = user.sign(user.userObject(modified: now, naming: impostor), with: impostor)
    #expect(try await save(forged) == "user")
    #expect(
      try await ingest(user.sign(change(of: user.id.text, in: "users", [["", .object(forged)]]), with: impostor))
        == "unresolved")
    try await world.registrar.submit(user.claim(at: now))
    world.clock.advance(by: 5_000)
    #expect(try await save(forged) == "user")
    #expect(try await save(user.userObject(modified: now)) == "ok", "the true user gets in at once")
  }

  /// Scenario 023: a group, or anything else, in the place of a user.
  @Test func nothingTakesAUsersPlace() async throws {
    let (victim, attacker) = (try await world.claimedUser(), try await world.claimedUser())
    let key = JSONValue.text(Base64.encode(attacker.key.verifyingKey.bytes32))
    let group: JSONObject = [
      "id": .text(victim.id.text), "type": "Group", "name": "G", "group": .text(victim.id.text),
      "owner": .text(attacker.id.text), "members": [], "blockedUserIds": [], "modified": .integer(now),
      "publicKey": key,
    ]
    let note = note(victim.id.text, group: attacker.id.text).setting("publicKey", to: key)
    func expectRefusal(_ comment: Comment) async throws {
      #expect(try await save(attacker.sign(group)) == "takes-users-place", comment)
      #expect(try await save(attacker.sign(note)) == "takes-users-place", comment)
      #expect(try await save(victim.sign(note)) == "takes-users-place", comment)
    }
    await database.put(victim.userObject(modified: now))
    try await expectRefusal("the user is stored")
    await database.put(["id": .text(victim.id.text)])
    _ = try await world.resolver.resolve(victim.id)
    try await expectRefusal("the user is known from its history")
  }

  /// Scenario 034 and 036: a new user, brought by itself or by another, without a valid signature.
  @Test func aNewUserInAChangeIsVerified() async throws {
    let (user, courier) = (try await world.claimedUser(), try await world.claimedUser())
    let own = user.userObject(modified: now)
    let garbage = own.setting("signature", to: "garbage")
    let id = user.id.text
    let creation = change(of: id, in: "users", [["", .object(garbage)]])
    #expect(
      try await ingest(creation.setting("signer", to: .text(id)).setting("signature", to: "garbage")) == "invalid")
    #expect(try await ingest(user.sign(creation)) == "invalid")
    #expect(try await ingest(courier.sign(creation)) == "invalid")
    #expect(try await ingest(courier.sign(change(of: id, in: "users", [["", .object(own)]]))) == "user")
  }

  /// Scenarios 035 and 038: changes to a known user without its secret.
  @Test func changesToAUserAreVerified() async throws {
    let (victim, attacker) = (try await world.claimedUser(), try await world.claimedUser())
    await database.put(victim.userObject(modified: now))
    let id = victim.id.text
    let boxKey = JSONValue.text(Base64.encode(attacker.key.boxKey.publicKey.bytes32))
    let changes = [
      change(of: id, in: "users", [["name", "forged"]]),
      change(of: id, in: "users", [["signer", .text(id)], ["publicBoxKey", boxKey]]),
      change(of: id, in: "users", [["signer", .text(id)]], deleted: true),
    ]
    for change in changes {
      #expect(
        try await ingest(change.setting("signer", to: .text(id)).setting("signature", to: "garbage")) == "invalid")
      #expect(try await ingest(victim.sign(change, with: attacker.key)) == "invalid")
      #expect(try await ingest(attacker.sign(change)) == "user")
    }
    #expect(
      try await ingest(victim.sign(change(of: id, in: "users", [["signer", .text(attacker.id.text)]]))) == "user")
    #expect(try await ingest(victim.sign(change(of: id, in: "users", [["type", "Note"]]))) == "user")
  }

  /// Scenario 039: the object inside is not the subject.
  @Test func theObjectInsideIsTheSubject() async throws {
    let (victim, attacker) = (try await world.claimedUser(), try await world.claimedUser())
    await database.put(victim.userObject(modified: now))
    let group = attacker.id.text
    let inside = note(victim.id.text, group: group)
      .setting("publicKey", to: .text(Base64.encode(attacker.key.verifyingKey.bytes32)))
    let subject = "00mjuo7274dc7qs8v110eoq80"
    #expect(try await ingest(attacker.sign(change(of: subject, in: group, [["", .object(inside)]]))) == "change")
    #expect(
      try await ingest(attacker.sign(change(of: victim.id.text, in: group, [["", .object(inside)]]))) == "change")
    await database.put(["id": .text(victim.id.text)])
    _ = try await world.resolver.resolve(victim.id)
    #expect(
      try await ingest(attacker.sign(change(of: victim.id.text, in: group, [["", .object(inside)]])))
        == "takes-users-place")
    // Twice the whole: which one counts must not be a question.
    let harmless = note(subject, group: group)
    let twice: [JSONValue] = [["", .object(harmless)], ["", .object(inside)]]
    #expect(try await ingest(attacker.sign(change(of: subject, in: group, twice))) == "change")
  }

  @Test func changesThatCannotBe() async throws {
    let user = try await world.claimedUser()
    let group = user.id.text
    let object = note(group: group)
    let subject = object["id"]?.string ?? ""
    #expect(try await ingest(user.sign(change(of: subject, in: group, [["body", "x"]]))) == "change", "to nothing")
    await database.put(object)
    for path in ["id", "group", "modified", "id.x", "[\"id\"]", "['group']", ".id"] {
      #expect(try await ingest(user.sign(change(of: subject, in: group, [[.text(path), "x"]]))) == "change", "\(path)")
    }
    #expect(
      try await ingest(user.sign(change(of: subject, in: "other", [["body", "x"]]))) == "change", "another group")
    #expect(try await ingest(user.sign(change(of: subject, in: group, [["type", "User"]]))) == "user")
    #expect(try await ingest(user.sign(change(of: subject, in: group, ["body"]))) == "change")
    let late = change(of: subject, in: group, [["body", "x"]]).setting("modified", to: .integer(now + 60_001))
    #expect(try await ingest(user.sign(late)) == "future")
    #expect(try await ingest(user.sign(late.setting("modified", to: "5"))) == "field")
    var tampered = user.sign(change(of: subject, in: group, [["body", "x"]]))
    tampered = tampered.setting("changes", to: [["body", "y"]])
    #expect(try await ingest(tampered) == "invalid")
    #expect(try await ingest(tampered.omitting(["signature"])) == "field")
    #expect(try await ingest(tampered.omitting(["signer"])) == "field")
  }
}
