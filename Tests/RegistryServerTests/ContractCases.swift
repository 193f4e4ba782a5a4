import Cryptography
import KeyRecords
import PeerstackFormat
import Registry
import Testing

@testable import RegistryServer

extension ContractCase {
  static let reads: [ContractCase] = [
    .get("key", head: ["cache-control": "max-age=60", "content-type": "application/json"]) {
      "/apps/\($0.app)/keys/\($0.active.id)"
    } _: { response, world in
      #expect(response.body == world.active.head.canonical)
      #expect(response.fields["etag"] == "\"\(world.active.head.hash)\"")
    },
    .get("key, slash at the end") {
      "/apps/\($0.app)/keys/\($0.active.id)/"
    } _: { response, world in
      #expect(response.body == world.active.head.canonical)
    },
    .get("key by keyId", head: ["cache-control": "max-age=60"]) {
      "/apps/\($0.app)/keys/\($0.active.id)/?keyId=0"
    } _: { response, world in
      #expect(response.body == world.active.claim)
      #expect(response.fields["etag"] == "\"\(RecordHash(of: world.active.claim))\"")
    },
    .get("key, head only", method: "HEAD") {
      "/apps/\($0.app)/keys/\($0.active.id)"
    } _: { response, world in
      #expect(response.fields["content-length"] == String(world.active.head.canonical.count))
      #expect(response.fields["etag"] == "\"\(world.active.head.hash)\"")
    },
    .get("key of a bad id", 404, code: "unknown-user") { "/apps/\($0.app)/keys/nobody" },
    .get("key of nobody", 404, code: "unknown-user") { "/apps/\($0.app)/keys/\(try $0.stranger().id)" },
    .get("key in capitals", 404, code: "unknown-user") { "/apps/\($0.app)/keys/\($0.active.id.text.uppercased())" },
    .get("key by a bad keyId", 422, code: "invalid-field") {
      "/apps/\($0.app)/keys/\($0.active.id)?keyId=head"
    } _: { response, _ in
      #expect(response["parameter"]?.string == "keyId")
    },
    .get("key by a keyId that is not there", 404, code: "unknown-record") {
      "/apps/\($0.app)/keys/\($0.active.id)?keyId=9"
    },
    .get("key by a void keyId", 410, code: "key-void") { "/apps/\($0.app)/keys/\($0.robbed.id)?keyId=1" },
    .get("key of a locked user", 409, code: "locked", head: ["etag": nil]) {
      "/apps/\($0.app)/keys/\($0.locked.id)"
    } _: { response, world in
      #expect(response["head"]?.string == world.locked.head.hash.hex)
    },
    .get("key of a retired user", 410, code: "retired") {
      "/apps/\($0.app)/keys/\($0.retired.id)"
    } _: { response, world in
      #expect(response["head"]?.string == world.retired.head.hash.hex)
    },
    .get("key of a contested user", 409, code: "contested") {
      "/apps/\($0.contest)/keys/\($0.contested.id)"
    } _: { response, world in
      let hashes = [world.contested.claim, world.rival.claim].map { JSONValue.text(RecordHash(of: $0).hex) }
      #expect(response["claims"] == .array(hashes))
    },
    .get("key at a position", head: ["cache-control": "max-age=60"]) {
      "/apps/\($0.app)/keys/\($0.active.id)/0"
    } _: { response, world in
      #expect(response.body == world.active.claim)
    },
    .get("key at a position of a locked user") { "/apps/\($0.app)/keys/\($0.locked.id)/0" },
    .get("key at a void position", 410, code: "key-void") { "/apps/\($0.app)/keys/\($0.robbed.id)/1" },
    .get("key at a position that is not there", 404, code: "unknown-record") {
      "/apps/\($0.app)/keys/\($0.active.id)/2"
    },
    .get("key at no position", 404, code: "unknown-record") { "/apps/\($0.app)/keys/\($0.active.id)/00" },
    .get("key at a position of nobody", 404, code: "unknown-user") { "/apps/\($0.app)/keys/nobody/0" },
    .get("state", head: ["cache-control": "no-cache"]) {
      "/apps/\($0.app)/users/\($0.active.id)"
    } _: { response, world in
      let names = Set((response.json?.object?.names ?? []).compactMap(\.string))
      #expect(
        names == ["status", "sequence", "head", "incarnation", "authority", "pending", "keys", "records"])
      #expect(response["status"] == "active" && response["sequence"] == 1 && response["pending"] == .null)
      #expect(response["head"]?.string == world.active.head.hash.hex)
      #expect(response["keys"]?.array?.count == 2 && response["records"]?.array?.count == 2)
    },
    .get("state of a contested user") {
      "/apps/\($0.contest)/users/\($0.contested.id)"
    } _: { response, world in
      #expect(response["status"] == "contested")
      #expect(response["claims"]?.array?.count == 2)
      #expect(response["head"]?.string == RecordHash(of: world.contested.claim).hex)
    },
    .get("state with a pending record") {
      "/apps/\($0.slow)/users/\($0.pending.id)"
    } _: { response, _ in
      #expect(response["status"] == "active" && response["pending"]?.object?["rank"] == 0)
    },
    .get("state by index") { world in
      "/apps/\(world.app)/users/\(world.active.id)?index=1"
    } _: { response, _ in
      #expect(response["sequence"] == 0 && response["records"]?.array?.count == 1)
    },
    .get("state by time") {
      "/apps/\($0.app)/users/\($0.active.id)?at=9007199254740991"
    } _: { response, _ in
      #expect(response["sequence"] == 1)
    },
    .get("state before the first", 404, code: "unknown-user") { "/apps/\($0.app)/users/\($0.active.id)?at=5" },
    .get("state before the first index", 404, code: "unknown-user") {
      "/apps/\($0.app)/users/\($0.active.id)?index=0"
    },
    .get("state by time and index", 422, code: "invalid-field") {
      "/apps/\($0.app)/users/\($0.active.id)?at=5&index=5"
    } _: { response, _ in
      #expect(response["parameter"]?.string == "index")
    },
    .get("state by a bad time", 422, code: "invalid-field") {
      "/apps/\($0.app)/users/\($0.active.id)?at=now"
    } _: { response, _ in
      #expect(response["parameter"]?.string == "at")
    },
    .get("state by a bad index", 422, code: "invalid-field") { "/apps/\($0.app)/users/\($0.active.id)?index=-1" },
    .get("state by a time given twice", 422, code: "invalid-field") {
      "/apps/\($0.app)/users/\($0.active.id)?at=1&at=1"
    },
    .get("state with an unknown parameter") { "/apps/\($0.app)/users/\($0.active.id)?colour=red" },
    .get("state of nobody", 404, code: "unknown-user") { "/apps/\($0.app)/users/\(try $0.stranger().id)" },
    .get("history") {
      "/apps/\($0.app)/users/\($0.active.id)/history"
    } _: { response, world in
      let entries = response["entries"]?.array ?? []
      #expect(entries.count == 2 && response.json?.object?.count == 1)
      #expect(entries.first?.object?.names.map(\.string) == ["index", "accepted", "effective", "rank", "record"])
      #expect(entries.first?.object?["rank"] == .null && entries.last?.object?["rank"] == 1)
      #expect(CanonicalJSON.bytes(of: entries.last?.object?["record"] ?? .null) == world.active.head.canonical)
    },
    .get("history after an index") {
      "/apps/\($0.app)/users/\($0.active.id)/history?after=1"
    } _: { response, _ in
      #expect(response["entries"]?.array?.map { $0.object?["index"]?.integer } == [2])
    },
    .get("history after the end") {
      "/apps/\($0.app)/users/\($0.active.id)/history?after=999"
    } _: { response, _ in
      #expect(response.text == "{\"entries\":[]}")
    },
    .get("history after nonsense", 422, code: "invalid-field") {
      "/apps/\($0.app)/users/\($0.active.id)/history?after="
    } _: { response, _ in
      #expect(response["parameter"]?.string == "after")
    },
    .get("history of nobody", 404, code: "unknown-user") { "/apps/\($0.app)/users/nobody/history" },
    .get("export", head: ["content-type": "application/jsonl"]) {
      "/apps/\($0.slow)/export"
    } _: { response, _ in
      #expect(Self.indexes(response) == [0, 1, 2])
      #expect(response.text.hasSuffix("}\n"))
    },
    .get("export after an index, limited") {
      "/apps/\($0.app)/export?after=0&limit=2"
    } _: { response, _ in
      #expect(Self.indexes(response) == [1, 2])
    },
    .get("export past the end", head: ["content-length": "0"]) { "/apps/\($0.app)/export?after=99999" },
    .get("export of too many", 422, code: "invalid-field") {
      "/apps/\($0.app)/export?limit=1001"
    } _: { response, _ in
      #expect(response["parameter"]?.string == "limit")
    },
    .get("export of none", 422, code: "invalid-field") { "/apps/\($0.app)/export?limit=0" },
    .get("export with a broken escape", 422, code: "invalid-field") { "/apps/\($0.app)/export?after=%zz" },
  ]

  static let appsAndOthers: [ContractCase] = [
    .get("app") {
      "/apps/\($0.slow)"
    } _: { response, world in
      let names = (response.json?.object?.names ?? []).compactMap(\.string)
      #expect(names == ["app", "policy", "index", "users", "time", "publicKey"])
      #expect(response["app"]?.string == "slow.example" && response["index"] == 2 && response["users"] == 1)
      #expect(response["policy"]?.object?["type"] == "AppPolicy")
      #expect(abs((response["time"]?.integer ?? 0) - world.server.now) < 60_000)
      let key = Base64.encode(world.server.server.registry.signingKey.verifyingKey.bytes32)
      #expect(response["publicKey"]?.string == key)
    },
    .get("unknown app", 404, code: "unknown-app") { _ in "/apps/other.example" },
    .get("bad app", 404, code: "unknown-app") { _ in "/apps/Chat_Example/keys/x" },
    .get("empty app", 404, code: "unknown-app") { _ in "/apps/" },
    .get("unknown app before unknown path", 404, code: "unknown-app") { _ in "/apps/other.example/nothing" },
    .get("unknown path before method", 404, code: "not-found", method: "DELETE") { "/apps/\($0.app)/nothing" },
    .get("unknown path of the registrar", 404, code: "not-found") { _ in "/nothing" },
    .get("slash behind the app", 404, code: "not-found") { "/apps/\($0.app)/" },
    .get("policies") {
      "/apps/\($0.app)/policies"
    } _: { response, _ in
      let entry = response["entries"]?.array?.first?.object
      #expect(entry?["index"] == 0 && entry?["rank"] == .null)
      #expect(entry?["record"]?.object?["id"]?.string == "chat.example:p0")
    },
    .get("peer host of an app") {
      "/apps/\($0.slow)/peer-host-info"
    } _: { response, _ in
      try Self.expectPeerHost(response, of: "slow.example")
    },
    .get("peer host of the registrar") { _ in
      "/peer-host-info"
    } _: { response, _ in
      try Self.expectPeerHost(response, of: "chat.example")
    },
    .get("openapi", head: ["content-type": "application/json"]) { _ in
      "/openapi.json"
    } _: { response, _ in
      #expect(response["openapi"]?.string?.hasPrefix("3.1") == true)
    },
    .get("healthz", head: ["cache-control": "no-store"]) { _ in "/healthz" },
    .get("readyz", head: ["cache-control": "no-store"]) { _ in "/readyz" },
    .get("metrics", head: ["content-type": "text/plain; version=0.0.4; charset=utf-8"]) {
      _ in
      "/metrics"
    } _: { response, _ in
      #expect(response.text.contains("registrar_database_up 1\n"))
    },
    .get("events without a handshake", 400, code: "malformed", head: ["sec-websocket-version": "13"]) {
      "/apps/\($0.app)/events"
    },
    .get(
      "events of an old version", 400, code: "malformed",
      fields: ["Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: AAAA"]
    ) { "/apps/\($0.app)/events" },
    .get("events after nonsense", 422, code: "invalid-field", fields: TestWebSocket.handshakeFields) {
      "/apps/\($0.app)/events?after=x"
    },
    .get("events, head only", 405, code: "method-not-allowed", head: ["allow": "GET, OPTIONS"], method: "HEAD") {
      "/apps/\($0.app)/events"
    },
    .get("method of a read", 405, code: "method-not-allowed", head: ["allow": "GET, HEAD, OPTIONS"], method: "PUT") {
      "/apps/\($0.app)/keys/\($0.active.id)"
    },
    .get("method of a post", 405, code: "method-not-allowed", head: ["allow": "POST, OPTIONS"]) {
      "/apps/\($0.app)/resolve"
    },
    .get("an own method", 405, code: "method-not-allowed", method: "get") { _ in "/healthz" },
  ]

  private static func indexes(_ response: TestResponse) -> [Int64?] {
    response.body.split(separator: UInt8(ascii: "\n")).map {
      (try? JSONValue.parseStrict(Array($0)))?.object?["index"]?.integer
    }
  }

  private static func expectPeerHost(_ response: TestResponse, of app: String) throws {
    let registry = try #require(response["registry"]?.object)
    #expect(response["type"] == "PeerHost" && registry["type"] == "KeyRegistry")
    #expect(registry["url"]?.string == "https://keys.example/apps/\(app)/keys/{ownerId}/{?keyId}")
    #expect(registry["trustOrder"] == 1)
    for name in ["id", "group", "desc"] { #expect(response[name]?.string?.isEmpty == false) }
    for name in ["id", "group"] { #expect(registry[name]?.string?.isEmpty == false) }
    #expect(response["modified"]?.integer != nil && registry["modified"]?.integer != nil)
  }
}
