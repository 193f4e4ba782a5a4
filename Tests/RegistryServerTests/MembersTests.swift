import Cryptography
import HTTPFormat
import KeyRecords
import PeerstackFormat
import Testing

@testable import RegistryServer

@Suite("Members only") struct MembersTests {
  private struct Club {
    let server: TestServer
    let app: AppID
    let member: TestUser

    init() async throws {
      server = try await TestServer.start()
      app = try await server.createApp("members.example") { $0.recordRead = .members }
      member = try TestUser(app: app, now: server.now)
      try await server.accept(member.claim, app: app)
    }

    func get(_ target: String, _ token: String) async throws -> TestResponse {
      try await server.get(target, ["Authorization: Peerstack \(token)"])
    }
  }

  @Test("what is for members is closed to strangers and open to members")
  func members() async throws {
    let club = try await Club()
    let base = "/apps/\(club.app)"
    let user = "\(base)/users/\(club.member.id)"
    for target in [
      "\(base)/keys/\(club.member.id)", "\(base)/keys/\(club.member.id)/?keyId=0", "\(base)/keys/\(club.member.id)/0",
      user, "\(user)?index=1", "\(user)/history?after=0", "\(base)/export?limit=5",
    ] {
      let refused = try await club.server.get(target)
      #expect(refused.status == 403, "\(target)")
      try ContractCase.expectProblem(refused, code: "not-authorised", status: 403, target)
      let token = club.member.authorization("GET", target, now: club.server.now)
      #expect(try await club.get(target, token).status == 200, "\(target)")
      let head = club.member.authorization("HEAD", target, now: club.server.now)
      #expect(
        try await club.server.request("HEAD", target, ["Authorization: Peerstack \(head)"]).status == 200, "\(target)")
    }
    let resolve = Array("{\"ids\":[\"\(club.member.id)\"]}".utf8)
    #expect(try await club.server.post("\(base)/resolve", resolve).status == 403)
    let token = club.member.authorization("POST", "\(base)/resolve", now: club.server.now)
    #expect(
      try await club.server.post("\(base)/resolve", resolve, ["Authorization: Peerstack \(token)"]).status == 200)
    for open in ["\(base)", "\(base)/policies", "\(base)/peer-host-info", "/openapi.json"] {
      #expect(try await club.server.get(open).status == 200, "\(open)")
    }
    await club.server.stop()
  }

  @Test("a request that is not exactly this one, now, for the first time")
  func badRequests() async throws {
    let club = try await Club()
    let target = "/apps/\(club.app)/users/\(club.member.id)"
    let now = club.server.now
    let other = try #require(AppID("other.example"))
    let stranger = try TestUser(app: club.app, now: now)
    let bad = [
      club.member.authorization("POST", target, now: now), club.member.authorization("GET", target + "?", now: now),
      club.member.authorization("GET", target.uppercased(), now: now),
      club.member.authorization("GET", target, now: now - 301_000),
      club.member.authorization("GET", target, now: now + 360_000),
      club.member.authorization("GET", target, now: now, nonce: ""),
      club.member.authorization("GET", target, now: now, nonce: String(repeating: "x", count: 65)),
      club.member.authorization("GET", target, now: now, app: other),
      club.member.authorization("GET", target, now: now, key: club.member.paper),
      stranger.authorization("GET", target, now: now), "", "e30=", "not base64",
    ]
    for token in bad { #expect(try await club.get(target, token).status == 403, "\(token)") }
    let good = club.member.authorization("GET", target, now: now, nonce: String(repeating: "ü", count: 64))
    #expect(try await club.get(target, good).status == 200)
    #expect(try await club.get(target, good).status == 403)
    await club.server.stop()
  }

  @Test("the key in force decides: after a rotation the new one, after a revocation none")
  func keyInForce() async throws {
    let club = try await Club()
    var member = club.member
    let target = "/apps/\(club.app)/users/\(member.id)"
    let old = member.key
    try await club.server.accept(try member.rotate(now: club.server.now), app: club.app)
    let now = club.server.now
    #expect(try await club.get(target, member.authorization("GET", target, now: now, key: old)).status == 403)
    #expect(try await club.get(target, member.authorization("GET", target, now: now)).status == 200)
    try await club.server.accept(try member.revoke(now: club.server.now), app: club.app)
    #expect(try await club.get(target, member.authorization("GET", target, now: now)).status == 403)
    await club.server.stop()
  }

  @Test("browsers' WebSockets send the request as a parameter")
  func events() async throws {
    let club = try await Club()
    let target = "/apps/\(club.app)/events?after=0"
    let refused = try await club.server.get(target, TestWebSocket.handshakeFields)
    #expect(refused.status == 403)
    let token = PercentCoding.encode(club.member.authorization("GET", target, now: club.server.now))
    let socket = try await TestWebSocket.open(port: club.server.port, "\(target)&authorization=\(token)")
    #expect(try await socket.indexes(1) == [1])
    // It is used up, and counts nowhere else.
    #expect(try await club.server.get("\(target)&authorization=\(token)", TestWebSocket.handshakeFields).status == 403)
    let user = "/apps/\(club.app)/users/\(club.member.id)"
    let other = PercentCoding.encode(club.member.authorization("GET", user, now: club.server.now))
    #expect(try await club.server.get("\(user)?authorization=\(other)").status == 403)
    await club.server.stop()
  }

  @Test("a request is good once, whichever instance it is sent to")
  func twoInstances() async throws {
    let club = try await Club()
    let other = try await TestServer.start(on: club.server.postgres, clock: club.server.clock)
    let target = "/apps/\(club.app)/users/\(club.member.id)"
    for _ in 0..<4 {
      let fields = ["Authorization: Peerstack \(club.member.authorization("GET", target, now: club.server.now))"]
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for server in [club.server, other, club.server, other] {
          group.addTask { try await server.get(target, fields).status }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.sorted() == [200, 403, 403, 403])
    }
    // A restart does not make it new either.
    let token = club.member.authorization("GET", target, now: club.server.now)
    #expect(try await club.get(target, token).status == 200)
    await other.stop()
    let third = try await TestServer.start(on: club.server.postgres, clock: club.server.clock)
    #expect(try await third.get(target, ["Authorization: Peerstack \(token)"]).status == 403)
    await third.stop()
    await club.server.stop()
  }
}
