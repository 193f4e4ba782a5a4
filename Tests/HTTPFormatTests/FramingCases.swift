import HTTPFormat
import Testing

/// A request as bytes and what must come of it.
struct FramingCase: CustomTestStringConvertible, Sendable {
  let bytes: [UInt8]
  let fault: FramingFault?

  init(_ text: String, _ fault: FramingFault? = nil) {
    bytes = Array(text.utf8)
    self.fault = fault
  }

  init(_ text: String, _ malformation: Malformation) {
    self.init(text, .malformed(malformation))
  }

  init(bytes: [UInt8], _ fault: FramingFault?) {
    self.bytes = bytes
    self.fault = fault
  }

  var testDescription: String { String(decoding: bytes.prefix(60), as: UTF8.self).debugDescription }
}

/// A request line with the fields that make it whole.
private func line(_ requestLine: String) -> String { "\(requestLine)\r\nHost: a\r\n\r\n" }

/// A GET with these lines beside its Host.
private func get(_ fields: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n" }

/// A POST with these lines beside its Host.
private func post(_ fields: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n" }

let acceptedCases: [FramingCase] = [
  FramingCase(line("GET / HTTP/1.1")),
  FramingCase("GET / HTTP/1.0\r\n\r\n"),
  FramingCase(line("GET / HTTP/1.0")),
  FramingCase(line("get / HTTP/1.1")),
  FramingCase(line("M-SEARCH!#$%&'*+-.^_`|~09 / HTTP/1.1")),
  FramingCase(line("GET /a/../%2e%zz//?x=%&?y HTTP/1.1")),
  FramingCase(line("GET /\"<>\\^`{|}[] HTTP/1.1")),
  FramingCase(line("GET /? HTTP/1.1")),
  FramingCase(line("GET //other.example/ HTTP/1.1")),
  FramingCase(line("OPTIONS * HTTP/1.1")),
  FramingCase(line("OPTIONS / HTTP/1.1")),
  FramingCase(line("GET http://b.example:80/p?q HTTP/1.1")),
  FramingCase(line("GET HTTPS://[::1]:443 HTTP/1.1")),
  FramingCase(line("GET http://b?q HTTP/1.1")),
  FramingCase(line("GET http://b/?u=http://c@d HTTP/1.1")),
  FramingCase("GET / HTTP/1.1\r\nhOsT:a.example:8080\r\n\r\n"),
  FramingCase("GET / HTTP/1.1\r\nHost: \t [::ffff:127.0.0.1]:65535 \t\r\n\r\n"),
  FramingCase(get("X:")),
  FramingCase(get("X: \t ")),
  FramingCase(get("X: a\tb  c")),
  FramingCase(get("!#$%&'*+-.^_`|~09az: v")),
  FramingCase(
    bytes: Array("GET / HTTP/1.1\r\nHost: a\r\nX: ".utf8) + [0x80, 0xFF, 0xC3, 0xA9] + Array("\r\n\r\n".utf8), nil),
  FramingCase(get("Content-Length: 0")),
  FramingCase(get("Content-Length: 5")),
  FramingCase(post("Content-Length:\t0005 ")),
  FramingCase(post("content-length: 9007199254740992")),
  FramingCase(post("content-length: 0000000000000005")),
  FramingCase(get("Connection: ,, close , x\r\nConnection: upgrade")),
  FramingCase(get("Connection:")),
  FramingCase(get("Upgrade: h2c, foo/1\r\nConnection: Upgrade, HTTP2-Settings")),
  FramingCase(post("Expect: 100-Continue\r\nContent-Length: 1")),
  FramingCase(get("Expect: something-else")),
  FramingCase(get("Transfer-Encodings: chunked")),
]

let refusedCases: [FramingCase] = lineCases + fieldCases + hostCases + lengthCases

private let lineCases: [FramingCase] = [
  FramingCase("\r\n" + line("GET / HTTP/1.1"), .emptyRequestLine),
  FramingCase("\n" + line("GET / HTTP/1.1"), .bareLineFeed),
  FramingCase(" " + line("GET / HTTP/1.1"), .method),
  FramingCase(line("G@T / HTTP/1.1"), .method),
  FramingCase(line("GET\t/ HTTP/1.1"), .method),
  FramingCase(line("GÉT / HTTP/1.1"), .method),
  FramingCase(line("GET"), .requestLine),
  FramingCase(line("GET "), .requestLine),
  FramingCase(line("GET /"), .requestLine),
  FramingCase(line("GET  / HTTP/1.1"), .requestLine),
  FramingCase(line("GET /  HTTP/1.1"), .version),
  FramingCase(line("GET / HTTP/1.1 "), .version),
  FramingCase(line("GET / a HTTP/1.1"), .version),
  FramingCase(line("GET / "), .version),
  FramingCase(line("GET / HTTP/1.2"), .version),
  FramingCase(line("GET / HTTP/2.0"), .version),
  FramingCase(line("GET / HTTP/0.9"), .version),
  FramingCase(line("GET / HTTP/01.1"), .version),
  FramingCase(line("GET / HTTP/1.1x"), .version),
  FramingCase(line("GET / http/1.1"), .version),
  FramingCase(line("GET / ICE/1.0"), .version),
  FramingCase("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .version),
  FramingCase(line("GET a HTTP/1.1"), .target),
  FramingCase(line("GET * HTTP/1.1"), .target),
  FramingCase(line("OPTIONS ** HTTP/1.1"), .target),
  FramingCase(line("OPTIONS *?a HTTP/1.1"), .target),
  FramingCase(line("GET /a#b HTTP/1.1"), .target),
  FramingCase(line("GET /a\tb HTTP/1.1"), .target),
  FramingCase(line("GET /é HTTP/1.1"), .target),
  FramingCase(line("GET ?a HTTP/1.1"), .target),
  FramingCase(line("GET ftp://a/ HTTP/1.1"), .target),
  FramingCase(line("GET http:/a/ HTTP/1.1"), .target),
  FramingCase(line("GET http:///a HTTP/1.1"), .target),
  FramingCase(line("GET http:// HTTP/1.1"), .target),
  FramingCase(line("GET http://u@a/ HTTP/1.1"), .target),
  FramingCase(line("GET http://a:/ HTTP/1.1"), .target),
  FramingCase(line("GET a:80 HTTP/1.1"), .target),
  FramingCase(line("CONNECT a:80 HTTP/1.1"), .connect),
  FramingCase(line("CONNECT / HTTP/1.1"), .connect),
  FramingCase(bytes: [0x16, 0x03, 0x01, 0x02, 0x00], .malformed(.controlCharacter)),
]

private let fieldCases: [FramingCase] = [
  FramingCase("GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed),
  FramingCase("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
  FramingCase("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
  FramingCase("GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n", .bareCarriageReturn),
  FramingCase("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", .bareCarriageReturn),
  FramingCase("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", .bareCarriageReturn),
  FramingCase(get("X: a\rb"), .bareCarriageReturn),
  FramingCase(get("X: a\0b"), .controlCharacter),
  FramingCase(get("X\0: a"), .controlCharacter),
  FramingCase(get("X: \u{0B}"), .controlCharacter),
  FramingCase(get("X: \u{1B}"), .controlCharacter),
  FramingCase(get("X: \u{7F}"), .controlCharacter),
  FramingCase("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedField),
  FramingCase(get("X: a\r\n b"), .foldedField),
  FramingCase(get("X: a\r\n\tb"), .foldedField),
  FramingCase(get("X: a\r\n "), .foldedField),
  FramingCase(get("X : a"), .spaceBeforeColon),
  FramingCase(get("X\t: a"), .spaceBeforeColon),
  FramingCase(get("Content-Length : 5"), .spaceBeforeColon),
  FramingCase(get("X"), .fieldWithoutColon),
  FramingCase(get(": a"), .fieldName),
  FramingCase(get("X(: a"), .fieldName),
  FramingCase(get("\"X\": a"), .fieldName),
  FramingCase(get("Éa: a"), .fieldName),
  FramingCase(get("Connection: close; x"), .connection),
  FramingCase(get("Connection: clo se"), .connection),
  FramingCase(get("Connection: x\r\nConnection: \"close\""), .connection),
]

private let hostCases: [FramingCase] =
  [
    FramingCase("GET / HTTP/1.1\r\n\r\n", .missingHost),
    FramingCase("GET http://a/ HTTP/1.1\r\n\r\n", .missingHost),
    FramingCase(get("Host: a"), .repeatedHost),
    FramingCase(get("host: b"), .repeatedHost),
    FramingCase("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", .repeatedHost),
  ]
  + [
    "", "a, b", "a b", "a/b", "u@a", "a:", "a:b", "a:123456", "a:65536", "a:-1", ":80", "[::1", "[]", "[:]", "::1",
    "[::1]a", "[g::]", "[::1%25eth0]", "a%41", "http://a", "é", "a:80:80", "[v1.x]",
  ].map { FramingCase("GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n", .host) }

private let lengthCases: [FramingCase] =
  [
    FramingCase(post("X: a"), .lengthRequired),
    FramingCase(post("Transfer-Encoding: chunked"), .lengthRequired),
    FramingCase(post("Content-Length: 5\r\nTransfer-Encoding: chunked"), .lengthRequired),
    FramingCase(post("transfer-encoding: identity\r\ncontent-length: 5"), .lengthRequired),
    FramingCase(post("Content-Length: x\r\nTransfer-Encoding: chunked"), .lengthRequired),
    FramingCase(get("Transfer-Encoding: chunked"), .lengthRequired),
    FramingCase(get("Transfer-Encoding:"), .lengthRequired),
    FramingCase("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthRequired),
    FramingCase("POST / HTTP/1.0\r\n\r\n", .lengthRequired),
    FramingCase(post("Content-Length: 5\r\nContent-Length: 5"), .repeatedContentLength),
    FramingCase(post("Content-Length: 5\r\nX: a\r\ncontent-length: 6"), .repeatedContentLength),
    FramingCase(post("Content-Length: 9007199254740993"), .contentTooLarge),
    FramingCase(post("Content-Length: 18446744073709551621"), .contentTooLarge),
    FramingCase(get("Content-Length: 99999999999999999999999999999999"), .contentTooLarge),
  ]
  + [
    "", "5, 5", "5,5", "+5", "-5", "5.0", "5e1", "0x5", "5 5", "five", "5;", "٥", "\"5\"", "5_0",
    "00000000000000005",
  ].map { FramingCase(post("Content-Length: \($0)"), .contentLength) }
