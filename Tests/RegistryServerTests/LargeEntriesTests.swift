import Cryptography
import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI
import Testing
import WebTransport

@testable import RegistryServer

/// What needs megabytes of entries: the limit of `resolve`, and consumers that do not read.
@Suite("Megabytes of entries", .serialized) struct LargeEntriesTests {
  /// A claim and an amendment of about 7 KiB each: sixteen approvals, four tiers of sixteen keys, a long source.
  private static func records(
    _ app: AppID, now: Milliseconds, _ approvers: [SigningKey]
  ) throws -> (id: UserID, records: [[UInt8]]) {
    let key = SigningKey.generate()
    let tiers: [Tier] = (0..<4).map {
      .keys(name: "tier-\($0)", keys: approvers.map(\.verifyingKey), threshold: 16, delay: 0)
    }
    let id = try TestUser.randomID(now)
    var draft = RecordDraft(
      claim: id, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey,
      authority: try #require(Authority(tiers: tiers + [.signer])), modified: now)
    draft.sourceURL = "https://h/" + String(repeating: "x", count: 500)
    let claim = draft.draft.signed(approvals: approvers.map { draft.draft.approval(by: $0) }, by: key)
    let head = try #require(Submission.verify(claim, app: app).get().record)
    let amendment = RecordDraft(.amend, after: head, now: now).draft
    return (id, [claim, amendment.signed(approvals: approvers.map { amendment.approval(by: $0) }, by: key)])
  }

  private static func fill(_ server: TestServer, _ app: AppID, users: Int) async throws -> [UserID] {
    let approvers = (0..<16).map { _ in SigningKey.generate() }
    return try await withThrowingTaskGroup(of: UserID.self) { group in
      var ids: [UserID] = []
      for started in 0..<users {
        if started >= 16, let id = try await group.next() { ids.append(id) }
        group.addTask {
          let (id, records) = try records(app, now: server.now, approvers)
          for record in records { try await server.accept(record, app: app) }
          return id
        }
      }
      for try await id in group { ids.append(id) }
      return ids
    }
  }

  @Test("resolve ends at 8 MiB and goes on from there; a consumer that reads nothing is closed")
  func limits() async throws {
    let server = try await TestServer.start { configuration in
      configuration.web.webSocket.queuedBytes = 50_000
      configuration.web.webSocket.closingDeadline = .seconds(60)
    }
    let app = try await server.createApp("chat.example")
    let slow = try await TestWebSocket.open(port: server.port, "/apps/\(app)/events?after=0")
    async let closed: Void = expectClosed(slow, server)
    let ids = try await Self.fill(server, app, users: 640)
    #expect(Set(ids).count == 640)
    try await closed
    try await resolveAll(server, app, ids)
    await server.stop()
  }

  private func resolveAll(_ server: TestServer, _ app: AppID, _ ids: [UserID]) async throws {
    var request = ResolveRequest(ids: ids)
    var sizes: [Int] = []
    var entries: [UserID: Int] = [:]
    while !request.ids.isEmpty, sizes.count < 5 {
      let response = try await server.post("/apps/\(app)/resolve", request.body)
      #expect(response.status == 200)
      sizes.append(response.body.count)
      var have = request.have
      for (name, user) in response["users"]?.object?.members ?? [] {
        let id = try #require(name.string.flatMap { UserID($0) })
        let found = user.object?["entries"]?.array ?? []
        entries[id, default: 0] += found.count
        if let last = found.last?.object?["record"] { have[id] = RecordHash(of: CanonicalJSON.bytes(of: last)) }
      }
      let more = (response["more"]?.array ?? []).compactMap { $0.string.flatMap { UserID($0) } }
      request = ResolveRequest(ids: more, have: have)
    }
    #expect(sizes.count == 2 && sizes.allSatisfy { $0 <= APILimits.resolveAnswerBytes }, "\(sizes)")
    #expect((sizes.first ?? 0) > APILimits.resolveAnswerBytes * 9 / 10, "\(sizes)")
    #expect(entries.count == ids.count && entries.values.allSatisfy { $0 == 2 })
  }

  /// The consumer reads nothing until it has been closed; then it finds what was on its way, and why.
  private func expectClosed(_ socket: TestWebSocket, _ server: TestServer) async throws {
    // On a thread of its own, which the signing of entries does not hold up.
    let messages = try await socket.rest(onceClosed: server.port)
    #expect(try await server.get("/metrics").text.contains("{reason=\"consumer-too-slow\"} 1\n"))
    #expect(messages.count > 1)
    #expect(messages.last == .close(code: 4001, reason: "consumer-too-slow"))
    for (index, message) in messages.dropLast().enumerated() {
      // What was on its way still comes, without a gap.
      guard case .text(let text) = message else { continue }
      #expect(text.hasPrefix("{\"index\":\(index + 1),"))
    }
  }

  @Test("answers of any limit make progress and lose nothing", arguments: [2_000, 5_000, 12_000, 40_000])
  func anyLimit(limit: Int) async throws {
    let world = try await ContractWorld.shared.value
    let app = try #require(try await world.server.server.registry.app(world.app))
    let ids = [world.active.id, world.locked.id, world.retired.id, world.robbed.id, world.busy.id]
    let stranger = try world.stranger().id
    var entries: [UserID: [Int64]] = [:]
    var request = ResolveRequest(ids: ids + [stranger])
    for _ in 0..<40 where !request.ids.isEmpty {
      let answer = try await app.read(request.ids) { ResolutionText(request, asOf: $0, limit: max(limit, 10_000)) }
      let text = answer.finish()
      #expect(text.count <= max(limit, 10_000))
      let fields = try #require(JSONValue.parseStrict(text).object)
      var have = request.have
      var count = 0
      for (name, value) in try #require(fields["users"]?.object).members {
        let id = try #require(name.string.flatMap { UserID($0) })
        for entry in value.object?["entries"]?.array ?? [] {
          entries[id, default: []].append(try #require(entry.object?["index"]?.integer))
          have[id] = RecordHash(of: CanonicalJSON.bytes(of: entry.object?["record"] ?? .null))
          count += 1
        }
      }
      let more = (fields["more"]?.array ?? []).compactMap { $0.string.flatMap { UserID($0) } }
      #expect(count > 0 || more.isEmpty, "no progress")
      request = ResolveRequest(ids: more, have: have)
    }
    #expect(request.ids.isEmpty)
    for id in ids {
      let whole = try #require(try await app.user(id)).entries.map(\.index)
      #expect(entries[id] == whole)
    }
    #expect(entries[stranger] == nil)
  }
}
