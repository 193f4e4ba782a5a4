import HTTPFormat
import Testing

@Suite struct RequestParserTests {
  @Test(arguments: acceptedCases)
  func accepts(_ example: FramingCase) {
    guard case .complete(_, let byteCount) = parse(example.bytes) else {
      Issue.record("refused: \(Verdict(parse(example.bytes)))")
      return
    }
    #expect(byteCount == example.bytes.count)
  }

  @Test(arguments: refusedCases)
  func refuses(_ example: FramingCase) {
    guard case .fault(let fault) = parse(example.bytes) else {
      Issue.record("not refused: \(Verdict(parse(example.bytes)))")
      return
    }
    #expect(fault == example.fault)
  }

  @Test(arguments: acceptedCases + refusedCases)
  func verdictDoesNotDependOnTheCuts(_ example: FramingCase) {
    let whole = Verdict(parse(example.bytes))
    for cut in 0...example.bytes.count {
      #expect(verdict(example.bytes, cuts: [cut]) == whole, "cut at \(cut)")
    }
    #expect(verdict(example.bytes, cuts: 0...example.bytes.count) == whole, "byte by byte")
  }

  @Test(arguments: acceptedCases)
  func headEndsAtItsLastByteAndNotBefore(_ example: FramingCase) {
    #expect(Verdict(parse(Array(example.bytes.dropLast()))) == .incomplete)
    let followed = Verdict(parse(example.bytes + Array("\0 what follows is not looked at".utf8)))
    #expect(followed == Verdict(parse(example.bytes)))
  }

  @Test func everyMalformationIsInTheTable() {
    let shown = Set(refusedCases.compactMap(\.fault))
    for malformation in Malformation.allCases {
      #expect(shown.contains(.malformed(malformation)), "\(malformation)")
      #expect(!FramingFault.malformed(malformation).reason.isEmpty)
    }
  }

  @Test func pipelinedRequestsAreReadOneAfterTheOther() throws {
    let texts = [
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
      "POST /3 HTTP/1.1\r\nContent-Length: 0\r\nHost: c\r\n\r\n", "GET /4 HTTP/1.0\r\n\r\n",
    ]
    // The body looks like a request, and is none.
    let stream = Array((texts[0] + "GET " + texts[1...].joined()).utf8)
    var parser = RequestParser()
    var position = 0
    var paths: [String] = []
    while position < stream.count {
      guard case .complete(let head, let byteCount) = parser.parse(stream.span.extracting(position...)) else { break }
      position += byteCount + (head.contentLength ?? 0)
      paths.append(head.path)
    }
    #expect(paths == ["/1", "/2", "/3", "/4"])
    #expect(position == stream.count)
  }

  @Test func faultIsFinal() {
    var parser = RequestParser()
    let bad = Array("GET / HTTP/3.0\r\n".utf8)
    let good = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    let badVerdict = Verdict(parser.parse(bad.span))
    #expect(badVerdict == .fault(.malformed(.version)))
    let goodVerdict = Verdict(parser.parse(good.span))
    #expect(goodVerdict == .fault(.malformed(.version)))
  }

  @Test func faultIsSeenAsSoonAsItsBytesAreThere() {
    #expect(fault("G\0") == .malformed(.controlCharacter))
    #expect(fault("GET / HTTP/2.0\r\n") == .malformed(.version))
    #expect(fault("GET / HTTP/1.1\r\nX : a\r\n") == .malformed(.spaceBeforeColon))
  }

  @Test func bytesSeenBeforeAreNotScannedAgain() {
    var bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX: abcdef".utf8)
    var parser = RequestParser()
    let bytesVerdict = Verdict(parser.parse(bytes.span))
    #expect(bytesVerdict == .incomplete)
    // A parser that begins anew would stumble over these.
    for index in 0..<16 { bytes[index] = 0 }
    bytes[bytes.count - 3] = 0
    bytes += Array("\r\n\r\n".utf8)
    guard case .complete(let head, _) = parser.parse(bytes.span) else {
      Issue.record("scanned again")
      return
    }
    #expect(head.method == .get)
  }

  @Test func everyByteIsJudgedAloneWhereverItStands() {
    for byte in 0...255 as ClosedRange<UInt8> where byte != 13 {
      for offset in 0..<24 {
        var bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX: abcdefgh\u{FF}jklmnopqrstuvwxyz\r\n\r\n".utf8)
        bytes[29 + offset] = byte
        let isForbidden = (byte < 0x20 && byte != 9) || byte == 0x7F
        let expected: FramingFault = .malformed(byte == 10 ? .bareLineFeed : .controlCharacter)
        switch parse(bytes) {
        case .complete: #expect(!isForbidden, "\(byte) at \(offset)")
        case .fault(let fault): #expect(isForbidden && fault == expected, "\(byte) at \(offset)")
        case .incomplete: Issue.record("\(byte) at \(offset)")
        }
      }
    }
  }

  @Test func shorterBufferStartsOver() {
    var parser = RequestParser()
    let longer = Array("GET /longer HTTP/1.1\r\nHost: a\r\nX: 1".utf8)
    let shorter = Array("GET / HTTP/1.0\r\n\r\n".utf8)
    let longerVerdict = Verdict(parser.parse(longer.span))
    #expect(longerVerdict == .incomplete)
    guard case .complete(let head, let byteCount) = parser.parse(shorter.span) else {
      Issue.record("not read anew")
      return
    }
    #expect(head.path == "/" && byteCount == shorter.count)
  }
}

@Suite struct LimitTests {
  private static func request(headBytes: Int) -> String {
    let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
    return "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: headBytes - frame.utf8.count))\r\n\r\n"
  }

  private static func request(targetBytes: Int) -> String {
    "GET /\(String(repeating: "x", count: targetBytes - 1)) HTTP/1.1\r\nHost: a\r\n\r\n"
  }

  private static func request(fieldCount: Int) -> String {
    "GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: fieldCount - 1))\r\n"
  }

  @Test func limitsAreThoseOfTheProtocol() {
    let limits = HTTPLimits()
    #expect(limits.headBytes == 8192 && limits.targetBytes == 4096 && limits.fieldCount == 64)
    #expect(RequestParser.largestContentLength == 9_007_199_254_740_992)
  }

  @Test func limitsAreReachedAndNotPassed() {
    for text in [
      LimitTests.request(headBytes: 8192), LimitTests.request(targetBytes: 4096), LimitTests.request(fieldCount: 64),
    ] {
      #expect(head(text) != nil)
    }
    for text in [
      LimitTests.request(headBytes: 8193), LimitTests.request(targetBytes: 4097), LimitTests.request(fieldCount: 65),
    ] {
      #expect(fault(text) == .headersTooLarge)
      let bytes = Array(text.utf8)
      #expect(verdict(bytes, cuts: 0...bytes.count) == .fault(.headersTooLarge))
    }
  }

  @Test func endlessLineIsRefusedWithoutItsEnd() {
    let line = String(repeating: "x", count: 8192)
    #expect(Verdict(parse(String(line.dropLast()))) == .incomplete)
    #expect(fault(line) == .headersTooLarge)
    #expect(fault("GET / HTTP/1.1\r\nX: " + line) == .headersTooLarge)
  }

  @Test func configuredLimitsHold() {
    let small = HTTPLimits(headBytes: 64, targetBytes: 8, fieldCount: 1)
    #expect(fault("GET /12345678 HTTP/1.1\r\n", limits: small) == .headersTooLarge)
    #expect(fault("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n", limits: small) == .headersTooLarge)
    #expect(fault("GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 60))", limits: small) == .headersTooLarge)
    #expect(HTTPLimits(headBytes: 1_000_000).headBytes == HTTPLimits.largestHeadBytes)
    #expect(HTTPLimits(headBytes: -1).headBytes == 1)
  }

  @Test func largestHeadThatCanBeConfiguredIsRead() {
    let text = LimitTests.request(headBytes: HTTPLimits.largestHeadBytes)
    let parsed = parse(text, limits: HTTPLimits(headBytes: HTTPLimits.largestHeadBytes))
    guard case .complete(let head, let byteCount) = parsed else {
      Issue.record("refused")
      return
    }
    #expect(byteCount == 65_535 && head.value(of: "x")?.utf8.count == 65_535 - 32)
  }
}
