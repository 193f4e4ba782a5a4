import HTTPFormat

/// What a server makes of one connection's bytes: whole requests, and why it stopped reading.
struct Connection {
  /// A request with its body, and where it ended.
  struct Message {
    let head: RequestHead
    let body: ArraySlice<UInt8>
    let endOffset: Int
  }

  private(set) var messages: [Message] = []
  /// `incompleteHead`, `incompleteBody`, `closed`, or `fault:` and its name.
  private(set) var end = "incompleteHead"

  /// Reads `bytes` as a client's whole output. With `byByte` every head is given to the parser one byte at a time.
  init(_ bytes: [UInt8], byByte: Bool) {
    var parser = RequestParser()
    var position = 0
    while position < bytes.count {
      switch Connection.parse(&parser, bytes, from: position, byByte: byByte) {
      case .incomplete: return
      case .fault(let fault):
        end = "fault:\(Connection.name(of: fault))"
        return
      case .complete(let head, let byteCount):
        let bodyStart = position + byteCount
        let length = head.contentLength ?? 0
        guard length <= bytes.count - bodyStart else {
          end = "incompleteBody"
          return
        }
        position = bodyStart + length
        messages.append(Message(head: head, body: bytes[bodyStart..<position], endOffset: position))
        guard head.keepAlive else {
          end = "closed"
          return
        }
      }
    }
  }

  private static func parse(
    _ parser: inout RequestParser, _ bytes: [UInt8], from start: Int, byByte: Bool
  ) -> HeadParse {
    if byByte {
      for end in start..<bytes.count {
        let parse = parser.parse(bytes.span.extracting(start..<end))
        if case .incomplete = parse { continue }
        return parse
      }
    }
    return parser.parse(bytes.span.extracting(start...))
  }

  private static func name(of fault: FramingFault) -> String {
    switch fault {
    case .malformed(let malformation): "malformed.\(malformation)"
    case .lengthRequired: "lengthRequired"
    case .headersTooLarge: "headersTooLarge"
    case .contentTooLarge: "contentTooLarge"
    }
  }

  /// One line of JSON; everything that came from the client is in hexadecimal.
  var json: String {
    let messages = messages.map { message in
      let head = message.head
      // Values are ISO 8859-1: one scalar per byte.
      let fields = head.fields.map { field in
        "[\"\(hex(field.name.utf8))\",\"\(hex(field.value.unicodeScalars.map { UInt8($0.value) }))\"]"
      }
      return "{\"method\":\"\(hex(head.method.name.utf8))\",\"target\":\"\(hex(head.rawTarget.utf8))\""
        + ",\"minor\":\(head.minorVersion),\"fields\":[\(fields.joined(separator: ","))]"
        + ",\"body\":\"\(hex(message.body))\",\"end\":\(message.endOffset)}"
    }
    return "{\"messages\":[\(messages.joined(separator: ","))],\"end\":\"\(end)\"}"
  }
}

private func hex(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
