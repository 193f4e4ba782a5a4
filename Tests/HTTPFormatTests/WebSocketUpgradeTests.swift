import HTTPFormat
import Testing

@Suite struct WebSocketUpgradeTests {
  private static let key = "dGhlIHNhbXBsZSBub25jZQ=="

  private func refusal(
    method: String = "GET", version: String = "1.1", upgrade: String = "websocket", connection: String = "Upgrade",
    key: String? = WebSocketUpgradeTests.key, webSocketVersion: String? = "13", extra: String = ""
  ) -> WebSocketUpgrade.Refusal? {
    var text = "\(method) /events HTTP/\(version)\r\nHost: a\r\nUpgrade: \(upgrade)\r\nConnection: \(connection)\r\n"
    if let key { text += "Sec-WebSocket-Key: \(key)\r\n" }
    if let webSocketVersion { text += "Sec-WebSocket-Version: \(webSocketVersion)\r\n" }
    guard let head = head(text + extra + "\r\n") else {
      Issue.record("the head itself is refused")
      return nil
    }
    do throws(WebSocketUpgrade.Refusal) {
      let upgrade = try WebSocketUpgrade(head)
      #expect(String(decoding: upgrade.key, as: UTF8.self) == key)
      return nil
    } catch {
      return error
    }
  }

  @Test func validHandshakes() {
    #expect(refusal() == nil)
    #expect(refusal(upgrade: "foo, WEBSOCKET", connection: "keep-alive, upgrade") == nil)
    #expect(refusal(extra: "Content-Length: 0\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Extensions: y\r\n") == nil)
  }

  @Test func everyFieldIsChecked() {
    #expect(refusal(method: "PUT") == .notAnUpgrade)
    #expect(refusal(version: "1.0") == .notAnUpgrade)
    #expect(refusal(upgrade: "websockets") == .notAnUpgrade)
    #expect(refusal(connection: "keep-alive") == .notAnUpgrade)
    #expect(refusal(webSocketVersion: nil) == .version)
    #expect(refusal(webSocketVersion: "8") == .version)
    #expect(refusal(webSocketVersion: "13, 8") == .version)
    #expect(refusal(extra: "Sec-WebSocket-Version: 13\r\n") == .version)
    #expect(refusal(extra: "Content-Length: 1\r\n") == .body)
    #expect(refusal(extra: "Sec-WebSocket-Key: \(WebSocketUpgradeTests.key)\r\n") == .key)
    #expect(refusal(key: nil) == .key)
  }

  @Test(arguments: [
    "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZQ=a", "dGhlIHNhbXBsZSBub25jZQQ=",
    "dGhlIHNhbXBsZSBub25j_Q==", "dGhlIHNhbXBsZSBub25jZQ===", "AAAAAAAAAAAAAAAAAAAAAAAA", "dGhl IHNhbXBsZSBub25jZQ==",
  ])
  func keyIsCanonicalBase64OfSixteenBytes(_ key: String) {
    #expect(refusal(key: key) == .key)
  }

  @Test func canonicalRequestHoldsNothingOfTheClientButItsKey() throws {
    let client = try #require(
      head(
        "GET /secret?q HTTP/1.1\r\nHost: evil\r\nOrigin: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Key: \(WebSocketUpgradeTests.key)\r\nSec-WebSocket-Version: 13\r\n"
          + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
    let upgrade = try WebSocketUpgrade(client)
    let request = upgrade.canonicalRequest()
    let read = try #require(head(String(decoding: request, as: UTF8.self)))
    #expect(read.path == "/" && read.query == nil && read.isWebSocketUpgrade)
    #expect(read.value(of: "sec-websocket-protocol") == nil && read.value(of: "sec-websocket-extensions") == nil)
    #expect(read.value(of: "origin") == nil && read.host == "localhost")
    #expect(try WebSocketUpgrade(read) == upgrade)
  }
}
