import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI
import Testing

@testable import RegistryServer

@Suite("Answers with the memory off") struct UnkeptTests {
  @Test("resolve says what it says from memory, whatever is asked")
  func sameAsFromMemory() async throws {
    let world = try await ContractWorld.shared.value
    let server = try await TestServer.start(on: world.server.postgres) { $0.registry.memoryBytes = 0 }
    let (active, robbed) = (world.active, world.robbed)
    let all = [active.id, world.locked.id, world.retired.id, robbed.id, world.busy.id].map(\.text)
    let alone = try TestUser(app: world.app, now: world.server.now)
    let claimHash = alone.head.hash.hex
    try await world.server.accept(alone.claim, app: world.app)
    let stranger = try world.stranger().id.text
    try await eventually("the other server knows of the claim") {
      try await server.get("/apps/\(world.app)/keys/\(alone.id)").status == 200
    }
    let bodies = [
      Self.body(all + [alone.id.text]),
      Self.body([stranger, "no id", alone.id.text, "\\u0000\\\"", stranger] + all),
      Self.body(
        [alone.id.text, active.id.text], have: [alone.id.text: claimHash, active.id.text: active.head.hash.hex]),
      Self.body([alone.id.text] + all, have: [alone.id.text: String(repeating: "0", count: 64), stranger: claimHash]),
      Self.body([stranger]), Self.body(["x"]),
    ]
    for body in bodies {
      let (kept, unkept) = (
        try await world.server.post("/apps/\(world.app)/resolve", body),
        try await server.post("/apps/\(world.app)/resolve", body)
      )
      #expect(kept.status == 200 && unkept.status == 200)
      for field in ["users", "more"] {
        #expect(unkept[field] == kept[field], "\(String(decoding: body, as: UTF8.self))")
      }
      #expect(Set(unkept.texts("unknown")) == Set(kept.texts("unknown")))
      #expect(unkept.texts("unknown").count == kept.texts("unknown").count)
    }
    let unchanged = try await server.post("/apps/\(world.app)/resolve", bodies[2])
    #expect(unchanged["users"]?.object?[alone.id.text]?.object?["entries"]?.array?.isEmpty == true)
    for body in ["{\"ids\":[]}", "{\"ids\":[1]}", "{"] {
      #expect(try await server.post("/apps/\(world.app)/resolve", Array(body.utf8)).status >= 400)
    }
    await server.stop()
  }

  private static func body(_ ids: [String], have: [String: String] = [:]) -> [UInt8] {
    let ids = ids.map { "\"\($0)\"" }.joined(separator: ",")
    let have = have.isEmpty ? "" : ",\"have\":{\(have.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ","))}"
    return Array("{\"ids\":[\(ids)]\(have)}".utf8)
  }
}

extension TestResponse {
  fileprivate func texts(_ field: String) -> [String] { self[field]?.array?.compactMap(\.string) ?? [] }
}
