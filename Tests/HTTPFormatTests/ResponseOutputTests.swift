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

  @Test("A head that is read over another is like any head, and a copy of the other stays what it was")
  func room() throws {
    var parser = RequestParser()
    var room = HeadRoom()
    var kept: [RequestHead] = []
    let names = ["first-which-is-longer", "second", "third", "again"]
    for (number, name) in names.enumerated() {
      let more = String(repeating: "x-\(name): \(number)\r\n", count: [3, 1, 2, 2][number])
      let text = Array("GET /\(name) HTTP/1.1\r\nhost: \(name)\r\n\(more)\r\n".utf8)
      // In two parts, as it may come; and other heads may be read into the room in between.
      guard case .incomplete = parser.parse(text.span.extracting(first: text.count - 3), into: &room),
        case .complete = Self.parsed("GET / HTTP/1.1\r\nhost: other\r\na: b\r\nc: d\r\n\r\n", into: &room),
        case .complete(let count) = parser.parse(text.span, into: &room)
      else {
        Issue.record("no head")
        return
      }
      #expect(count == text.count)
      kept.append(room.head)
    }
    for (number, name) in names.enumerated() {
      let head = kept[number]
      #expect(head.path == "/\(name)" && head.host == name)
      #expect(head.fields.map(\.name) == ["host"] + Array(repeating: "x-\(name)", count: [3, 1, 2, 2][number]))
      #expect(head.fields.dropFirst().allSatisfy { $0.value == "\(number)" })
    }
  }

  private static func parsed(_ text: String, into room: inout HeadRoom) -> HeadProgress {
    var parser = RequestParser()
    return parser.parse(Array(text.utf8).span, into: &room)
  }
}
