import HTTPFormat
import Testing

@Suite("Answers that are at hand")
struct ResponseOutputTests {
  private static let date = HTTPDate.bytes(epochSeconds: 1_790_000_000)

  @Test("They have the bytes that any response has", arguments: [200, 304], ["GET 1.1", "HEAD 1.1", "GET 1.0"])
  func sameBytes(status: Int, kind: String) throws {
    let (method, version) = (kind.prefix { $0 != " " }, kind.suffix(3))
    var parser = RequestParser()
    let text = Array("\(method) / HTTP/\(version)\r\nhost: a\r\n\r\n".utf8)
    guard case .complete(let head, _) = parser.parse(text.span) else {
      Issue.record("no head")
      return
    }
    var fields = HTTPFields()
    fields.add("content-type", "application/json")
    let template = ResponseTemplate(status: status, fields: fields)
    let body = Array("{\"a\":1}".utf8)
    for (keepAlive, tag) in [(true, "abc"), (false, nil)] as [(Bool, String?)] {
      var output = ResponseOutput(behind: Array("before".utf8), to: head, keepAlive: keepAlive, date: Self.date)
      if let tag {
        output.append(template, tag: { $0 += tag.utf8 }, bodyCount: body.count) { $0 += body }
      } else {
        output.append(template, bodyCount: body.count) { $0 += body }
      }
      var all = fields
      if let tag { all.add("etag", "\"\(tag)\"") }
      var expected = Array("before".utf8)
      ResponseSerializer.append(
        HTTPResponse(status: status, fields: all, body: body), to: &expected, isHead: method == "HEAD",
        keepAlive: keepAlive, date: Self.date, minorVersion: head.minorVersion)
      #expect(String(decoding: output.take(), as: UTF8.self) == String(decoding: expected, as: UTF8.self))
    }
  }

  @Test("A head whose memory was used before is the next one's alone")
  func room() throws {
    var parser = RequestParser()
    var room = HeadRoom()
    for name in ["first-which-is-longer", "second", "third"] {
      let text = Array("GET /\(name) HTTP/1.1\r\nhost: \(name)\r\nx-\(name): 1\r\n\r\n".utf8)
      // In two parts, as it may come.
      guard case .incomplete = parser.parse(text.span.extracting(first: text.count - 3), room: &room),
        case .complete(let head, let count) = parser.parse(text.span, room: &room)
      else {
        Issue.record("no head")
        return
      }
      #expect(count == text.count && head.path == "/\(name)" && head.host == name && head.fields.count == 2)
      let kept = head
      room.takeBack(head)
      #expect(kept.path == "/\(name)" && kept.fields.map(\.name) == ["host", "x-\(name)"])
    }
  }
}
