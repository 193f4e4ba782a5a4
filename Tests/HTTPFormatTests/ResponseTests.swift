import Glibc
import HTTPFormat
import Testing

@Suite struct ResponseTests {
  private static let date = Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8)

  private func text(
    _ response: HTTPResponse, isHead: Bool = false, keepAlive: Bool = true, minorVersion: Int = 1
  ) -> String {
    var output: [UInt8] = []
    ResponseSerializer.append(
      response, to: &output, isHead: isHead, keepAlive: keepAlive, date: ResponseTests.date, minorVersion: minorVersion)
    return String(decoding: output, as: UTF8.self)
  }

  private static let dateLine = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

  @Test func wholeResponse() {
    var fields = HTTPFields()
    fields.add("content-type", "application/json")
    let response = HTTPResponse(status: 200, fields: fields, body: Array("{}".utf8))
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\(ResponseTests.dateLine)content-length: 2\r\n"
    #expect(text(response) == head + "\r\n{}")
    #expect(text(response, isHead: true) == head + "\r\n")
    #expect(text(response, keepAlive: false) == head + "connection: close\r\n\r\n{}")
    #expect(text(response, minorVersion: 0) == head + "connection: keep-alive\r\n\r\n{}")
    #expect(text(response, keepAlive: false, minorVersion: 0) == head + "connection: close\r\n\r\n{}")
  }

  @Test func statusesWithoutContentDeclareNoLength() {
    for (status, line) in [(204, "204 No Content"), (304, "304 Not Modified")] {
      let response = HTTPResponse(status: status, body: [1, 2, 3])
      #expect(text(response) == "HTTP/1.1 \(line)\r\n\(ResponseTests.dateLine)\r\n")
    }
  }

  @Test func emptyAndLongBodies() {
    #expect(text(HTTPResponse(status: 404)).hasSuffix("content-length: 0\r\n\r\n"))
    let long = HTTPResponse(status: 200, body: [UInt8](repeating: 0x78, count: 1_234_567))
    #expect(text(long, isHead: true).contains("\r\ncontent-length: 1234567\r\n"))
  }

  @Test func upgradeRequiredAnnouncesItsOption() {
    #expect(text(HTTPResponse(status: 426)).contains("\r\nconnection: upgrade\r\n"))
    #expect(text(HTTPResponse(status: 426), keepAlive: false).contains("\r\nconnection: upgrade, close\r\n"))
  }

  @Test func everyStatusOfTheProtocolHasItsLine() {
    for status in [
      200, 201, 204, 304, 400, 403, 404, 405, 409, 410, 411, 413, 415, 422, 426, 429, 431, 500, 503,
    ] {
      #expect(text(HTTPResponse(status: status)).hasPrefix("HTTP/1.1 \(status) "))
    }
    for status in [-1, 0, 100, 199, 600, 99_999] {
      #expect(text(HTTPResponse(status: status)).hasPrefix("HTTP/1.1 500 "), "\(status) must not reach the wire")
    }
  }

  @Test func responsesAreAppended() {
    var output: [UInt8] = [0x78]
    for _ in 0..<2 {
      ResponseSerializer.append(
        HTTPResponse(status: 204), to: &output, isHead: false, keepAlive: true, date: ResponseTests.date)
    }
    let one = "HTTP/1.1 204 No Content\r\n\(ResponseTests.dateLine)\r\n"
    #expect(String(decoding: output, as: UTF8.self) == "x" + one + one)
    #expect(String(decoding: ResponseSerializer.continueResponse, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
  }
}

@Suite struct HTTPFieldsTests {
  @Test func fieldsAreWrittenInOrderAndFound() {
    var fields = HTTPFields()
    fields.add("ETag", "\"a\"")
    fields.add("x", Array("1".utf8))
    fields.add(name: "X", value: Array("2".utf8))
    #expect(String(decoding: fields.bytes, as: UTF8.self) == "ETag: \"a\"\r\nx: 1\r\nX: 2\r\n")
    #expect(fields.value(of: "etag") == "\"a\"" && fields.value(of: "x") == "1, 2" && fields.value(of: "y") == nil)
  }

  @Test(arguments: ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\u{1B}", "\u{7F}", "\r", "\n"])
  func valueThatWouldSplitTheResponseIsNotAdded(_ value: String) {
    var fields = HTTPFields()
    let isAdded = fields.add("x", value)
    #expect(!isAdded)
    #expect(fields.bytes.isEmpty)
  }

  @Test(arguments: ["", "a b", "a:", "a\r\n", "é", "Connection", "date", "CONTENT-LENGTH", "Transfer-Encoding"])
  func nameThatIsNoTokenOrNotOursToWriteIsNotAdded(_ name: String) {
    var fields = HTTPFields()
    let isAdded = fields.add(name: name, value: [0x61])
    #expect(!isAdded)
    #expect(fields.bytes.isEmpty)
  }

  @Test func tabsAndBytesBeyondASCIIAreValues() {
    var fields = HTTPFields()
    let isAdded = fields.add("x", "a\tb é") && fields.add("y", "")
    #expect(isAdded)
    #expect(fields.value(of: "x") == "a\tb é" && fields.value(of: "y")?.isEmpty == true)
  }
}

@Suite struct HTTPDateTests {
  private func text(_ seconds: Int64) -> String {
    String(decoding: HTTPDate.bytes(epochSeconds: seconds), as: UTF8.self)
  }

  @Test func knownDates() {
    #expect(text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")  // RFC 9110 §5.6.7
    #expect(text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(text(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
    #expect(text(4_107_542_399) == "Sun, 28 Feb 2100 23:59:59 GMT")
    #expect(text(4_107_542_400) == "Mon, 01 Mar 2100 00:00:00 GMT")
    #expect(text(253_402_300_799) == "Fri, 31 Dec 9999 23:59:59 GMT")
  }

  @Test func timesOutOfRangeAreBroughtIn() {
    #expect(text(-1) == text(0) && text(.min) == text(0))
    #expect(text(253_402_300_800) == text(253_402_300_799) && text(.max) == text(253_402_300_799))
  }

  @Test func agreesWithTheCLibrary() {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<5000 {
      var seconds = Int.random(in: 0...253_402_300_799, using: &generator)
      var parts = tm()
      gmtime_r(&seconds, &parts)
      var buffer = [CChar](repeating: 0, count: 64)
      let count = strftime(&buffer, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
      let expected = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      #expect(text(Int64(seconds)) == expected)
    }
  }
}
