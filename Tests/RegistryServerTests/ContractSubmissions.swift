import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

@testable import RegistryServer

extension ContractCase {
  static let submissions: [ContractCase] = [
    .post("a claim", 201, to: { "/apps/\($0.app)/records" }) {
      try $0.stranger().claim
    } _: { response, _ in
      #expect(response.json?.object?.names.map(\.string) == ["index", "accepted", "effective", "rank", "record"])
      #expect(response["effective"] == response["accepted"] && response["rank"] == .null)
    },
    .post("a claim in a wrapper", 201, to: { "/apps/\($0.app)/records" }) {
      Array("{\"record\":".utf8) + (try $0.stranger().claim) + Array("}".utf8)
    },
    .post("a claim again", 200, to: { "/apps/\($0.app)/records" }) {
      $0.active.claim
    } _: { response, _ in
      #expect(response["index"] == 1)
    },
    .post("a rival claim", 201, to: { "/apps/\($0.contest)/records" }) {
      try TestUser(app: $0.contest, now: $0.server.now, id: $0.unchallenged.id).claim
    } _: { response, _ in
      #expect(response["effective"] == .null)
    },
    .post("an invited claim", 201, to: { "/apps/\($0.invite)/records" }) { world in
      let invitation = Draft([
        "type": "Invitation", "app": "invite.example", "nonce": "welcome",
        "expires": .integer(world.server.now + 60_000),
        "publicKey": .text(Base64.encode(world.server.admin.verifyingKey.bytes32)),
      ]).signedWithoutApprovals(by: world.server.admin)
      return Array("{\"record\":".utf8) + (try world.stranger(world.invite).claim) + Array(",\"invitation\":".utf8)
        + invitation + Array("}".utf8)
    },
    .post("a dry run", 200, to: { "/apps/\($0.app)/records?dry-run=true" }) {
      try $0.stranger().claim
    } _: { response, world in
      #expect(
        response.json?.object?.names.map(\.string) == ["effect", "rank", "tier", "effective", "stoppableBy"])
      #expect(response["effect"] == "effective" && response["rank"] == .null && response["tier"] == .null)
      #expect(response["stoppableBy"] == .null)
    },
    .post("a dry run of a delayed record", 200, to: { "/apps/\($0.slow)/records?dry-run=true" }) {
      $0.pending.recovery(now: $0.server.now).record
    } _: { response, _ in
      #expect(response["effect"] == "pending" && response["rank"] == 0 && response["stoppableBy"] == [0])
      #expect(response["tier"]?.object?["name"] == "paper")
    },
    .post("a dry run of what was accepted", 200, to: { "/apps/\($0.app)/records?dry-run=true" }) {
      $0.active.claim
    } _: { response, _ in
      #expect(response["effect"] == "same")
    },
    .post("a dry run of what is refused", 409, code: "id-taken", to: { "/apps/\($0.app)/records?dry-run=true" }) {
      try TestUser(app: $0.app, now: $0.server.now, id: $0.active.id).claim
    },
    .post("a bad dry run", 422, code: "invalid-field", to: { "/apps/\($0.app)/records?dry-run=yes" }) {
      try $0.stranger().claim
    } _: { response, _ in
      #expect(response["parameter"]?.string == "dry-run")
    },
    .refused("a field too many", 422, "invalid-field") {
      try edited($0.stranger().claim) { $0.setting("colour", to: "red") }
    } _: { response, _ in
      #expect(response["pointer"]?.string == "/colour")
    },
    .refused("a wrong signature", 422, "bad-signature") {
      try edited($0.stranger().claim) { $0.setting("modified", to: .integer(1)) }
    } _: { response, _ in
      #expect(response["pointer"]?.string == "/signature")
    },
    .refused("an old clock", 422, "clock-skew") { try TestUser(app: $0.app, now: $0.server.now - 600_000).claim },
    .refused("an id of the future", 422, "id-in-future") {
      try TestUser(app: $0.app, now: $0.server.now, created: $0.server.now + 300_000).claim
    },
    .refused("an id that is not bound", 422, "id-not-bound", app: \.bound) {
      try TestUser(app: $0.bound, now: $0.server.now, id: try TestUser.randomID($0.server.now)).claim
    },
    .refused("no invitation", 403, "admission-refused", app: \.invite) { try $0.stranger($0.invite).claim },
    .refused("a boundary from the signer", 422, "boundary-refused") { world in
      let user = world.active
      let next = SigningKey.generate()
      let draft = user.draft(.rotate, now: world.server.now) {
        $0.publicKey = next.verifyingKey
        $0.publicBoxKey = next.boxKey.publicKey
        $0.reason = .compromised
        $0.compromised = world.server.now - 1
      }
      return draft.signed(approvals: [draft.approval(by: user.key)], by: next)
    },
    .refused("nobody's approval", 403, "not-authorised") { world in
      let next = SigningKey.generate()
      let draft = world.active.draft(.recover, now: world.server.now) {
        $0.publicKey = next.verifyingKey
        $0.publicBoxKey = next.boxKey.publicKey
        $0.reason = .lost
      }
      return draft.signed(by: next)
    } _: { response, _ in
      #expect(response["missing"]?.array?.count == 2 && response.json?.object?["rank"] != nil)
    },
    .refused("a higher tier changed", 403, "tier-protected") { world in
      let thief = SigningKey.generate()
      return try world.active.draft(.amend, now: world.server.now) {
        $0.authority = try #require(
          Authority(tiers: [.keys(name: "paper", keys: [thief.verifyingKey], threshold: 1, delay: 0), .signer]))
      }.signed(by: world.active.key)
    } _: { response, _ in
      #expect(response["rank"]?.integer != nil)
    },
    .refused("a record of nobody", 404, "unknown-user") { try $0.stranger().amendment(now: $0.server.now) },
    .refused("an adjudication of nothing", 404, "unknown-record") { world in
      let claim = RecordHash(of: world.active.claim)
      let draft = Draft([
        "type": "Adjudication", "id": .text("\(world.active.id):a\(claim.hex.prefix(16))"), "app": "chat.example",
        "subject": .text(world.active.id.text), "winner": .text(claim.hex), "modified": .integer(world.server.now),
      ])
      return try #require(draft.signed(approvedBy: [world.server.admin]))
    },
    .refused("a taken id", 409, "id-taken") {
      try TestUser(app: $0.app, now: $0.server.now, id: $0.active.id).claim
    } _: { response, world in
      #expect(response["head"]?.string == world.active.head.hash.hex)
    },
    .refused("an old head", 409, "stale-head") {
      $0.late
    } _: { response, world in
      #expect(response["head"]?.string == world.active.head.hash.hex)
    },
    .refused("a larger rank while one is pending", 409, "pending-exists", app: \.slow) {
      $0.pending.amendment(now: $0.server.now)
    } _: { response, _ in
      #expect(response["rank"] == 0 && response["effective"]?.integer != nil)
    },
    .refused("a used key", 409, "key-reused") { world in
      let user = world.active
      let draft = user.draft(.rotate, now: world.server.now) {
        $0.publicKey = world.locked.key.verifyingKey
        $0.publicBoxKey = SigningKey.generate().boxKey.publicKey
        $0.reason = .routine
      }
      return draft.signed(approvals: [draft.approval(by: user.key)], by: world.locked.key)
    } _: { response, _ in
      #expect(response["pointer"]?.string == "/publicKey")
    },
    .refused("a record of a contested user", 409, "contested", app: \.contest) {
      $0.contested.amendment(now: $0.server.now)
    } _: { response, _ in
      #expect((response["claims"]?.array?.count ?? 0) >= 2)
    },
    .refused("a record of a locked user", 403, "not-authorised") { $0.locked.amendment(now: $0.server.now) },
    .refused("a record of a retired user", 410, "retired") {
      $0.retired.amendment(now: $0.server.now)
    } _: { response, world in
      #expect(response["head"]?.string == world.retired.head.hash.hex)
    },
    .refused("too many records", 429, "rate-limited") { $0.busy.amendment(now: $0.server.now) },
    .refused("a policy that nobody approved", 403, "not-authorised") { world in
      try strangersPolicy(world)
    } _: { response, _ in
      #expect(response["missing"]?.integer == 1)
    },
    .post("records of an unknown app", 404, code: "unknown-app", to: { _ in "/apps/other.example/records" }) {
      $0.active.claim
    },
    .post("resolve", 200, to: { "/apps/\($0.app)/resolve" }) { world in
      let ids = [
        world.active.id.text, world.locked.id.text, try world.stranger().id.text, "nobody", world.active.id.text,
      ]
      let have =
        "\"\(world.active.id)\":\"\(RecordHash(of: world.active.claim))\",\"other\":\"\(world.active.head.hash)\""
      return Array("{\"ids\":\(JSONValue.array(ids.map { .text($0) }).text.string),\"have\":{\(have)}}".utf8)
    } _: { response, world in
      #expect(response.json?.object?.names.map(\.string) == ["asOf", "users", "unknown", "more"])
      #expect((response["asOf"]?.object?["index"]?.integer ?? 0) > 0 && response["asOf"]?.object?["time"] != nil)
      let users = try #require(response["users"]?.object)
      #expect(Set(users.names.map(\.string)) == [world.active.id.text, world.locked.id.text])
      #expect(users[world.active.id.text]?.object?["entries"]?.array?.count == 1)
      #expect(users[world.locked.id.text]?.object?["entries"]?.array?.count == 2)
      #expect(response["unknown"]?.array?.count == 2 && response["more"] == [])
      #expect(response["unknown"]?.array?.contains("nobody") == true)
    },
    .post("resolve of what is known", 200, to: { "/apps/\($0.app)/resolve" }) { world in
      Array("{\"ids\":[\"\(world.active.id)\"],\"have\":{\"\(world.active.id)\":\"\(world.active.head.hash)\"}}".utf8)
    } _: { response, world in
      #expect(response["users"]?.object?[world.active.id.text] == ["entries": []])
    },
    .post("resolve with a hash from elsewhere", 200, to: { "/apps/\($0.app)/resolve" }) { world in
      Array("{\"ids\":[\"\(world.active.id)\"],\"have\":{\"\(world.active.id)\":\"\(world.locked.head.hash)\"}}".utf8)
    } _: { response, world in
      #expect(response["users"]?.object?[world.active.id.text]?.object?["entries"]?.array?.count == 2)
    },
    .post("resolve of nobody", 422, code: "invalid-field", to: { "/apps/\($0.app)/resolve" }) { _ in
      Array("{\"ids\":[]}".utf8)
    },
    .post("resolve of a thousand", 200, to: { "/apps/\($0.app)/resolve" }) { _ in
      Array("{\"ids\":[\((0..<1000).map { "\"x\($0)\"" }.joined(separator: ","))]}".utf8)
    } _: { response, _ in
      #expect(response["unknown"]?.array?.count == 1000)
    },
    .post("resolve of a thousand and one", 422, code: "invalid-field", to: { "/apps/\($0.app)/resolve" }) { _ in
      Array("{\"ids\":[\((0..<1001).map { "\"x\($0)\"" }.joined(separator: ","))]}".utf8)
    },
  ]

  private static func edited(_ record: [UInt8], _ change: (JSONObject) -> JSONObject) throws -> [UInt8] {
    CanonicalJSON.bytes(of: .object(change(try #require(JSONValue.parseStrict(record).object))))
  }

  /// A second policy, approved by somebody who is no admin.
  private static func strangersPolicy(_ world: ContractWorld) throws -> [UInt8] {
    let stranger = SigningKey.generate()
    let rules = PolicyRules(admins: try #require(Admins(keys: [stranger.verifyingKey], threshold: 1)))
    return try #require(
      rules.draft(app: world.app, after: world.policy, now: world.server.now).signed(approvedBy: [stranger]))
  }
}

extension [UInt8] {
  var string: String { String(decoding: self, as: UTF8.self) }
}
