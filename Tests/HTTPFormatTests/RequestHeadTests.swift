import HTTPFormat
import Testing

@Suite struct RequestHeadTests {
  private func target(_ target: String, method: String = "GET") -> RequestHead? {
    head("\(method) \(target) HTTP/1.1\r\nHost: a.example\r\n\r\n")
  }

  private func fields(_ lines: String, version: String = "1.1") -> RequestHead? {
    head("GET / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n\r\n")
  }

  @Test func originForm() throws {
    let head = try #require(target("/apps/x/keys/%41?a=b?c&d"))
    #expect(head.path == "/apps/x/keys/%41" && head.query == "a=b?c&d" && head.host == "a.example")
    #expect(head.target == "/apps/x/keys/%41?a=b?c&d" && head.rawTarget == head.target)
    #expect(head.pathBytes.elementsEqual(head.path.utf8))
    #expect(try #require(head.queryBytes).elementsEqual("a=b?c&d".utf8))
    #expect(head.hasPathPrefix("/apps/") && !head.hasPathPrefix("/Apps/") && !head.hasPath("/apps/x"))
    #expect(!head.hasPathPrefix("/apps/x/keys/%41?a=b"), "the query is not part of the path")
    let bare = try #require(target("/"))
    #expect(bare.query == nil && bare.queryBytes == nil && bare.hasPath("/"))
    #expect(target("/?")?.query?.isEmpty == true)
  }

  @Test func absoluteFormGivesPathQueryAndHost() throws {
    let head = try #require(target("hTTp://b.example:81/p/q?r"))
    #expect(head.path == "/p/q" && head.query == "r" && head.host == "b.example:81")
    #expect(head.target == "/p/q?r" && head.rawTarget == "hTTp://b.example:81/p/q?r")
    let bare = try #require(target("https://b.example"))
    #expect(bare.path == "/" && bare.query == nil && bare.target == "/" && bare.hasPath("/"))
    let query = try #require(target("http://b.example?x=/y"))
    #expect(query.path == "/" && query.query == "x=/y" && query.target == "/?x=/y")
  }

  @Test func asteriskForm() {
    #expect(target("*", method: "OPTIONS")?.path == "*")
  }

  @Test func methods() {
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "GETS"] {
      let head = head("\(method) / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
      #expect(head?.method.name == method)
    }
    #expect(target("/", method: "get")?.method == .other("get"))
    #expect(target("/", method: "HEAD")?.method == .head)
  }

  @Test func repeatedFieldsAreJoinedInOrder() throws {
    let head = try #require(fields("X-A: 1\r\nY: z\r\nx-a:\r\nX-a: 2, 3 "))
    #expect(head.value(of: "x-a") == "1, , 2, 3")
    #expect(head.count(of: "x-a") == 3 && head.soleValueBytes(of: "x-a") == nil)
    #expect(head.soleValueBytes(of: "y").map { Array($0) } == Array("z".utf8))
    #expect(head.value(of: "x") == nil && head.count(of: "x") == 0 && head.soleValueBytes(of: "x") == nil)
    #expect(head.fields.map(\.name) == ["Host", "X-A", "Y", "x-a", "X-a"])
  }

  @Test func bytesBeyondASCIIStayApart() {
    let first = parse(Array("GET / HTTP/1.0\r\nX: ".utf8) + [0xC3, 0xA9] + Array("\r\n\r\n".utf8))
    let second = parse(Array("GET / HTTP/1.0\r\nX: ".utf8) + [0xFF] + Array("\r\n\r\n".utf8))
    guard case .complete(let utf8, _) = first, case .complete(let latin, _) = second else {
      Issue.record("refused")
      return
    }
    #expect(utf8.value(of: "x") == "\u{C3}\u{A9}")
    #expect(latin.value(of: "x") == "\u{FF}")
  }

  @Test func connectionDecidesWhetherTheConnectionStays() {
    #expect(fields("X: y")?.keepAlive == true)
    #expect(fields("Connection: keep-alive")?.keepAlive == true)
    #expect(fields("Connection: foo, CLOSE")?.keepAlive == false)
    #expect(fields("Connection: keep-alive\r\nConnection: close")?.keepAlive == false)
    #expect(fields("Connection: closed")?.keepAlive == true)
    #expect(fields("Connection: keep-alive", version: "1.0")?.keepAlive == false)
  }

  @Test func continueIsExpectedOnlyForABody() {
    #expect(fields("Expect: 100-Continue\r\nContent-Length: 1")?.expectsContinue == true)
    #expect(fields("Expect: x, 100-continue\r\nContent-Length: 1")?.expectsContinue == true)
    #expect(fields("Expect: 100-continue\r\nContent-Length: 0")?.expectsContinue == false)
    #expect(fields("Expect: 100-continue")?.expectsContinue == false)
    #expect(fields("Expect: 100-continue\r\nContent-Length: 1", version: "1.0")?.expectsContinue == false)
    #expect(fields("Expect: 200-ok\r\nContent-Length: 1")?.expectsContinue == false)
  }

  @Test func contentLengthOfAnyMethod() {
    #expect(fields("Content-Length: 0")?.contentLength == 0)
    #expect(fields("Content-Length: 00012")?.contentLength == 12)
    #expect(fields("X: y")?.contentLength == nil)
    #expect(fields("Content-Length: 9007199254740992")?.contentLength == 1 << 53)
  }

  @Test func upgradeNeedsBothFields() {
    #expect(fields("Upgrade: foo\r\nConnection: x, Upgrade")?.isUpgrade == true)
    #expect(fields("Upgrade: foo\r\nConnection: Upgrade")?.isWebSocketUpgrade == false)
    #expect(fields("Upgrade: foo, WebSocket\r\nConnection: Upgrade")?.isWebSocketUpgrade == true)
    #expect(fields("Upgrade: websocket")?.isUpgrade == false)
    #expect(fields("Connection: upgrade")?.isUpgrade == false)
    #expect(fields("Upgrade: websocket\r\nConnection: Upgrade", version: "1.0")?.isUpgrade == false)
  }

  @Test func ifNoneMatchComparesWeakly() {
    let tag = Array("\"abc\"".utf8)
    #expect(fields("If-None-Match: \"abc\"")?.ifNoneMatch(names: tag) == true)
    #expect(fields("If-None-Match: \"x\", W/\"abc\"")?.ifNoneMatch(names: tag) == true)
    #expect(fields("If-None-Match: \"x\"\r\nIf-None-Match: \"abc\"")?.ifNoneMatch(names: tag) == true)
    #expect(fields("If-None-Match: *")?.ifNoneMatch(names: tag) == true)
    #expect(fields("If-None-Match: abc, \"ABC\", w/\"abc\"")?.ifNoneMatch(names: tag) == false)
    #expect(fields("X: y")?.ifNoneMatch(names: tag) == false)
  }
}
