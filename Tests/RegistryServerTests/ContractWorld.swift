import Cryptography
import KeyRecords
import PeerstackFormat
import Registry
import Testing

@testable import RegistryServer

/// Apps and users in every state, for the contract to be tried on.
struct ContractWorld {
  let server: TestServer
  let app: AppID
  let bound: AppID
  let invite: AppID
  let contest: AppID
  let slow: AppID
  /// The policy of `app`.
  let policy: AppPolicy

  /// Claimed and rotated.
  let active: TestUser
  /// A record of that user on the claim, made before the rotation.
  let late: [UInt8]
  let locked: TestUser
  let retired: TestUser
  /// Two claims stand against each other.
  let contested: TestUser
  let rival: TestUser
  /// Claimed by an id that is not bound, and nobody has objected yet.
  let unchallenged: TestUser
  /// The thief's key, at sequence 1, is void.
  let robbed: TestUser
  /// A recovery by a delayed paper key waits.
  let pending: TestUser
  /// Ten records in this hour.
  let busy: TestUser

  static let shared = Task { try await ContractWorld() }

  private init() async throws {
    server = try await TestServer.start { $0.publicURL = PublicURL("https://keys.example") }
    app = try await server.createApp("chat.example")
    bound = try await server.createApp("bound.example") { $0.boundSince = 0 }
    invite = try await server.createApp("invite.example") { $0.admission = .invite }
    contest = try await server.createApp("contest.example") { $0.contestWindow = 3_600_000 }
    slow = try await server.createApp("slow.example")
    let now = server.now
    policy = try #require(try await server.server.registry.app(app)).snapshot().policy

    var active = try TestUser(app: app, now: now)
    try await server.accept(active.claim, app: app)
    late = active.amendment(now: now)
    try await server.accept(try active.rotate(now: now), app: app)
    self.active = active

    var locked = try TestUser(app: app, now: now)
    try await server.accept(locked.claim, app: app)
    try await server.accept(try locked.revoke(now: now), app: app)
    self.locked = locked

    var retired = try TestUser(app: app, now: now)
    try await server.accept(retired.claim, app: app)
    try await server.accept(try retired.retire(now: now), app: app)
    self.retired = retired

    contested = try TestUser(app: contest, now: now, id: try TestUser.randomID(now))
    rival = try TestUser(app: contest, now: now, id: contested.id)
    try await server.accept(contested.claim, app: contest)
    try await server.accept(rival.claim, app: contest)
    unchallenged = try TestUser(app: contest, now: now, id: try TestUser.randomID(now))
    try await server.accept(unchallenged.claim, app: contest)

    var robbed = try TestUser(app: app, now: now)
    try await server.accept(robbed.claim, app: app)
    let theft = try await server.accept(try robbed.rotate(now: now), app: app)
    try await server.accept(try robbed.recover(now: server.now, compromised: theft["accepted"]?.integer), app: app)
    self.robbed = robbed

    pending = try TestUser(app: slow, now: now, paperDelay: 86_400_000)
    try await server.accept(pending.claim, app: slow)
    try await server.accept(pending.recovery(now: now).record, app: slow)

    var busy = try TestUser(app: app, now: now)
    try await server.accept(busy.claim, app: app)
    for _ in 0..<10 { try await server.accept(try busy.amend(now: server.now), app: app) }
    self.busy = busy
  }

  /// A user whose claim has not been sent.
  func stranger(_ app: AppID? = nil) throws -> TestUser { try TestUser(app: app ?? self.app, now: server.now) }
}

/// A request and what must come back.
struct ContractCase: Sendable, CustomTestStringConvertible {
  let name: String
  let method: String
  let path: @Sendable (ContractWorld) throws -> String
  var fields: [String] = []
  var body: (@Sendable (ContractWorld) throws -> [UInt8])?
  let status: Int
  /// Of a problem.
  var code: String?
  /// Fields of the head, exactly; nil: absent.
  var head: [String: String?] = [:]
  /// What else must hold.
  var check: @Sendable (TestResponse, ContractWorld) throws -> Void = { _, _ in }

  var testDescription: String { name }

  static func get(
    _ name: String, _ status: Int = 200, code: String? = nil, fields: [String] = [], head: [String: String?] = [:],
    method: String = "GET", _ path: @escaping @Sendable (ContractWorld) throws -> String,
    _ check: @escaping @Sendable (TestResponse, ContractWorld) throws -> Void = { _, _ in }
  ) -> ContractCase {
    ContractCase(
      name: name, method: method, path: path, fields: fields, status: status, code: code, head: head, check: check)
  }

  static func post(
    _ name: String, _ status: Int, code: String? = nil, to path: @escaping @Sendable (ContractWorld) -> String,
    fields: [String] = ["Content-Type: application/json"],
    _ body: @escaping @Sendable (ContractWorld) throws -> [UInt8],
    _ check: @escaping @Sendable (TestResponse, ContractWorld) throws -> Void = { _, _ in }
  ) -> ContractCase {
    ContractCase(
      name: name, method: "POST", path: path, fields: fields, body: body, status: status, code: code, check: check)
  }

  /// A submission that is refused.
  static func refused(
    _ name: String, _ status: Int, _ code: String, app: KeyPath<ContractWorld, AppID> & Sendable = \.app,
    _ body: @escaping @Sendable (ContractWorld) throws -> [UInt8],
    _ check: @escaping @Sendable (TestResponse, ContractWorld) throws -> Void = { _, _ in }
  ) -> ContractCase {
    post(name, status, code: code, to: { "/apps/\($0[keyPath: app])/records" }, body, check)
  }

  /// Sends the request and compares.
  func run(_ world: ContractWorld) async throws {
    let response = try await world.server.request(method, try path(world), fields, try body?(world))
    #expect(response.status == status, "\(name): \(response.text)")
    #expect(response.fields["access-control-allow-origin"] == "*", "\(name)")
    #expect(response.fields["access-control-expose-headers"] == "ETag, Retry-After", "\(name)")
    for (field, value) in head { #expect(response.fields[field] == value, "\(name): \(field)") }
    if let code, method != "HEAD" { try Self.expectProblem(response, code: code, status: status, name) }
    try check(response, world)
  }

  static func expectProblem(_ response: TestResponse, code: String, status: Int, _ name: String) throws {
    #expect(response.fields["content-type"] == "application/problem+json", "\(name)")
    #expect(response.fields["cache-control"] == "no-store", "\(name)")
    let problem = try #require(response.json?.object, "\(name): \(response.text)")
    #expect(problem["type"]?.string == "urn:peerstack-registrar:problem:\(code)", "\(name)")
    #expect(problem["code"]?.string == code, "\(name): \(response.text)")
    #expect(problem["status"]?.integer == Int64(status), "\(name)")
    #expect(problem["title"]?.string?.isEmpty == false && problem["detail"]?.string?.isEmpty == false, "\(name)")
    if status == 429 || status == 503 {
      let seconds = problem["retryAfter"]?.integer ?? 0
      #expect(seconds > 0 && response.fields["retry-after"] == String(seconds), "\(name)")
    }
  }
}
