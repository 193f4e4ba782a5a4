import KeyRecords
import PeerstackFormat
import Testing

@testable import RegistryServer

/// Input that is wrong, byte by byte: the answer, and whether the connection goes on.
struct MalformedCase: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: @Sendable (ContractWorld) -> [UInt8]
  let status: Int
  let code: String
  var isConnectionUsable = true

  var testDescription: String { name }

  /// A body for `records`.
  static func body(_ name: String, _ status: Int, _ code: String, _ text: String) -> MalformedCase {
    body(name, status, code, Array(text.utf8))
  }

  static func body(_ name: String, _ text: String) -> MalformedCase { body(name, 400, "malformed", text) }

  static func body(_ name: String, _ status: Int, _ code: String, _ bytes: [UInt8]) -> MalformedCase {
    MalformedCase(
      name: name,
      bytes: { TestConnection.request("POST", "/apps/\($0.app)/records", ["Content-Type: application/json"], bytes) },
      status: status, code: code, isConnectionUsable: status != 413)
  }

  /// A request without a body that counts.
  static func raw(_ name: String, _ status: Int, _ code: String, _ text: String) -> MalformedCase {
    MalformedCase(name: name, bytes: { _ in Array(text.utf8) }, status: status, code: code, isConnectionUsable: false)
  }

  static func typed(_ name: String, _ fields: [String]) -> MalformedCase {
    MalformedCase(
      name: name, bytes: { TestConnection.request("POST", "/apps/\($0.app)/records", fields, $0.active.claim) },
      status: 415, code: "unsupported-media-type")
  }

  static let all = bodies + fields + framing + media

  static let bodies: [MalformedCase] = [
    .body("nothing", ""), .body("a space", " "), .body("no JSON", "hello"), .body("half an object", "{\"type\":"),
    .body("two values", "{} {}"), .body("a comma at the end", "{\"a\":1,}"), .body("a comment", "{/**/}"),
    .body("single quotes", "{'a':1}"), .body("a name without quotes", "{a:1}"),
    .body("a name twice", "{\"a\":1,\"a\":1}"),
    .body("a name twice, spelled differently", "{\"a\":1,\"\\u0061\":1}"),
    .body("a deep name twice", "{\"b\":[{\"a\":1,\"a\":2}]}"),
    .body("a mark of byte order", "\u{FEFF}{}"), .body("a fraction", "{\"modified\":1.0}"),
    .body("an exponent", "{\"modified\":1e0}"), .body("minus zero", "{\"modified\":-0}"),
    .body("a number too large", "{\"modified\":9007199254740992}"),
    .body("a number too small", "{\"modified\":-9007199254740992}"), .body("a zero in front", "{\"modified\":01}"),
    .body("a plus", "{\"modified\":+1}"), .body("infinity", "{\"modified\":1e999}"), .body("NaN", "{\"modified\":NaN}"),
    .body("a lone surrogate", "{\"id\":\"\\ud800\"}"), .body("half a pair", "{\"id\":\"\\udc00x\"}"),
    .body("a bad escape", "{\"id\":\"\\x\"}"), .body("a control character", "{\"id\":\"\u{1}\"}"),
    .body("a string without end", "{\"id\":\"x}"), .body("a NUL behind it", "{}\u{0}"),
    .body("nested 17 deep", String(repeating: "[", count: 17) + String(repeating: "]", count: 17)),
    .body("nested 30,000 deep", String(repeating: "[", count: 30_000) + String(repeating: "]", count: 30_000)),
    .body("UTF-8 cut off", 400, "malformed", [0x22, 0xE2, 0x82, 0x22]),
    .body("UTF-8 too long", 400, "malformed", [0x22, 0xC0, 0xAF, 0x22]),
    .body("UTF-8 of a surrogate", 400, "malformed", [0x22, 0xED, 0xA0, 0x80, 0x22]),
    .body("UTF-16", 400, "malformed", [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00]),
    .body("malformed comes before too large", 400, "malformed", "{\"a\":\"\(String(repeating: "x", count: 9_000))\"}}"),
  ]

  static let fields: [MalformedCase] = [
    .body("no object", 422, "invalid-field", "[]"), .body("null", 422, "invalid-field", "null"),
    .body("a string", 422, "invalid-field", "\"x\""), .body("an empty object", 422, "invalid-field", "{}"),
    .body(
      "nested 16 deep", 422, "invalid-field", String(repeating: "[", count: 16) + String(repeating: "]", count: 16)),
    .body("an unknown type", 422, "invalid-field", "{\"type\":\"User\"}"),
    .body("a request", 422, "invalid-field", "{\"type\":\"Request\"}"),
    .body("a wrapper with more in it", 422, "invalid-field", "{\"record\":{},\"comment\":1}"),
    .body("a wrapper without a record", 422, "invalid-field", "{\"invitation\":{}}"),
    .body("a record with nothing in it", 422, "invalid-field", "{\"type\":\"PublicKey\"}"),
    .body(
      "a record too large", 413, "too-large",
      "{\"type\":\"PublicKey\",\"id\":\"\(String(repeating: "x", count: 9_000))\"}"),
  ]

  static let media: [MalformedCase] = [
    .typed("no type", []), .typed("a form", ["Content-Type: application/x-www-form-urlencoded"]),
    .typed("a text", ["Content-Type: text/plain"]),
    .typed("another charset", ["Content-Type: application/json; charset=utf-16"]),
    .typed("two types", ["Content-Type: application/json", "Content-Type: application/json"]),
    .typed("a coding", ["Content-Type: application/json", "Content-Encoding: gzip"]),
    .typed("a coding that changes nothing", ["Content-Type: application/json", "Content-Encoding: identity"]),
  ]

  static let framing: [MalformedCase] = [
    .raw("no length", 411, "length-required", "POST /apps/a/records HTTP/1.1\r\nHost: h\r\n\r\n"),
    .raw(
      "chunked", 411, "length-required",
      "POST /apps/a/records HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    .raw(
      "chunked and a length", 411, "length-required",
      "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    .raw(
      "a body too large", 413, "too-large", "POST /apps/a/records HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n"),
    .raw(
      "a resolve too large", 413, "too-large",
      "POST /apps/a/resolve HTTP/1.1\r\nHost: h\r\nContent-Length: 262145\r\n\r\n"),
    .raw(
      "a length beyond numbers", 413, "too-large",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999\r\n\r\n"),
    .raw(
      "a field too long", 431, "headers-too-large",
      "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 9_000))\r\n\r\n"),
    .raw(
      "a path too long", 431, "headers-too-large",
      "GET /\(String(repeating: "x", count: 5_000)) HTTP/1.1\r\nHost: h\r\n\r\n"),
    .raw("no HTTP", 400, "malformed", "hello\r\n\r\n"), .raw("no host", 400, "malformed", "GET / HTTP/1.1\r\n\r\n"),
    .raw("two hosts", 400, "malformed", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"),
    .raw("HTTP/2", 400, "malformed", "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    .raw("a folded field", 400, "malformed", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"),
    .raw("bare line feeds", 400, "malformed", "GET / HTTP/1.1\nHost: h\n\n"),
    .raw(
      "two lengths", 400, "malformed", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    .raw("a length with a sign", 400, "malformed", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx"),
    .raw("a space before the colon", 400, "malformed", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
    .raw("CONNECT", 400, "malformed", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"),
  ]
}

@Suite("Malformed input") struct MalformedTests {
  @Test("the answer, no state changed, and the connection as promised", arguments: MalformedCase.all)
  func refuses(_ input: MalformedCase) async throws {
    let world = try await ContractWorld.shared.value
    let bytes = input.bytes(world)
    let (response, next) = try await TestConnection.with(port: world.server.port) { connection in
      try connection.send(bytes)
      let response = try connection.response()
      guard input.isConnectionUsable else {
        let isClosed = try connection.isAtEnd()
        return (response, isClosed ? nil : TestResponse())
      }
      try connection.send("GET", "/healthz")
      return (response, try connection.response())
    }
    #expect(response.status == input.status, "\(response.text)")
    try ContractCase.expectProblem(response, code: input.code, status: input.status, input.name)
    #expect(response.fields["access-control-allow-origin"] == "*")
    #expect(next?.status == (input.isConnectionUsable ? 200 : nil))
    if !input.isConnectionUsable { #expect(response.fields["connection"] == "close") }
  }

  @Test("there are about sixty kinds")
  func count() { #expect(MalformedCase.all.count > 60) }
}
