import HTTPFormat
import KeyRecords
import RegistryAPI
import Testing

@testable import RegistryServer

@Suite("Reading requests") struct ReadingTests {
  @Test(
    "JSON in UTF-8",
    arguments: [
      "application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; charset=\"UTF-8\"",
      "application/json; charset=utf-8;", "application/json; profile=x",
    ])
  func json(mediaType: String) {
    #expect(JSONContent.isJSON(mediaType))
  }

  @Test(
    "anything else is not",
    arguments: [
      "", "text/plain", "application/jsonl", "application/json; charset=latin1", "application/json, application/json",
      "application/json; charset", "application/problem+json", ";charset=utf-8",
      "application/json;charset=utf-8;charset=x",
    ])
  func notJSON(mediaType: String) {
    #expect(!JSONContent.isJSON(mediaType))
  }

  @Test(
    "plain numbers have one spelling",
    arguments: [
      ("0", 0), ("7", 7), ("9007199254740991", 9_007_199_254_740_991), ("9007199254740992", nil), ("", nil),
      ("00", nil),
      ("01", nil), ("-1", nil), ("+1", nil), ("1.0", nil), ("1e3", nil), (" 1", nil), ("٣", nil),
      ("99999999999999999999", nil),
    ] as [(String, Int64?)])
  func numbers(text: String, value: Int64?) {
    #expect(PlainDecimal.value(of: text) == value)
  }

  @Test(
    "public URLs",
    arguments: [
      ("https://keys.example", "https://keys.example"), ("http://[::1]:8787/", "http://[::1]:8787"),
      ("https://example.org/registrar//", "https://example.org/registrar"), ("keys.example", nil), ("https://", nil),
      ("https:///x", nil), ("ftp://x", nil), ("https://x/{ownerId}", nil), ("https://x?y", nil), ("https://x y", nil),
      ("https://ü", nil), ("https://:80", nil), ("https://x\"", nil),
    ] as [(String, String?)])
  func publicURLs(text: String, url: String?) {
    #expect(PublicURL(text)?.text == url)
  }

  @Test("every endpoint is reached by its own path")
  func endpoints() throws {
    for endpoint in Endpoint.allCases {
      let path = endpoint.template.replacing("{app}", with: "chat.example").replacing("{user}", with: "u")
        .replacing("{sequence}", with: "3")
      #expect(Destination(try Self.head("GET \(path)?x=1 HTTP/1.1")).endpoint == endpoint)
    }
  }

  @Test(
    "paths that lead nowhere",
    arguments: [
      "/", "/apps", "/appsx/chat.example", "/healthz/", "/HEALTHZ", "/apps/%zz", "//apps/chat.example", "/metrics/x",
      "/apps%2Fchat.example",
    ])
  func nowhere(path: String) throws {
    #expect(Destination(try Self.head("GET \(path) HTTP/1.1")) == .nowhere)
  }

  @Test(
    "paths that an app does not have",
    arguments: [
      "/", "/keys", "/keys/a/0/1", "/keys/a//", "/users", "/users/a/", "/users/a/history/", "/users/a/History",
      "/records/",
      "/resolve/x", "/keys%2Fa",
    ])
  func nowhereInApp(path: String) throws {
    #expect(Destination(try Self.head("GET /apps/chat.example\(path) HTTP/1.1")) == .app("chat.example", nil))
  }

  @Test("a slash at the end of a key, and escapes")
  func spellings() throws {
    #expect(Destination(try Self.head("GET /apps/a/keys/u/ HTTP/1.1")) == .app("a", .key(user: "u")))
    #expect(Destination(try Self.head("GET /apps/%61/k%65ys/%75 HTTP/1.1")) == .app("a", .key(user: "u")))
    #expect(Destination(try Self.head("GET http://h/apps/a HTTP/1.1")) == .app("a", .app))
  }

  static func head(_ line: String, fields: [String] = []) throws -> RequestHead {
    var parser = RequestParser()
    let text = ([line, "Host: h"] + fields + ["", ""]).joined(separator: "\r\n")
    guard case .complete(let head, _) = parser.parse(Array(text.utf8).span) else {
      throw Problem(.malformed, detail: text)
    }
    return head
  }
}
