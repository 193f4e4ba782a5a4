import HTTPFormat

/// What must hold for every input (see ../README.md).
func checkInput(_ bytes: [UInt8]) {
  checkParser(bytes)
  checkTexts(bytes)
}

/// Reads the bytes as one connection, whole and cut in two at a place that the bytes themselves choose.
private func checkParser(_ bytes: [UInt8]) {
  let limits = HTTPLimits(headBytes: 512, targetBytes: 64, fieldCount: 8)
  var parser = RequestParser(limits: limits)
  var position = 0
  while position < bytes.count {
    let rest = bytes[position...]
    let whole = parser.parse(bytes.span.extracting(position...))
    var second = RequestParser(limits: limits)
    let cut = position + Int(rest.reduce(0) { $0 &* 31 &+ UInt32($1) } % UInt32(rest.count + 1))
    var pieces = second.parse(bytes.span.extracting(position..<cut))
    if case .incomplete = pieces { pieces = second.parse(bytes.span.extracting(position...)) }
    precondition(summary(whole) == summary(pieces), "the verdict depends on the cut")
    guard case .complete(let head, let byteCount) = whole else { return }
    precondition(byteCount <= limits.headBytes && byteCount <= rest.count)
    check(head)
    position += byteCount + min(head.contentLength ?? 0, bytes.count)
  }
}

private func summary(_ parse: HeadParse) -> String {
  switch parse {
  case .incomplete: "incomplete"
  case .fault(let fault): "\(fault)"
  case .complete(let head, let byteCount):
    "\(byteCount) \(head.method) \(head.target) \(head.fields) \(head.keepAlive) \(head.isUpgrade)"
  }
}

private func check(_ head: RequestHead) {
  for (name, value) in head.fields {
    precondition(!name.isEmpty && !value.unicodeScalars.contains { $0 == "\r" || $0 == "\n" || $0 == "\0" })
  }
  precondition(head.path.utf8.first == UInt8(ascii: "/") || (head.path == "*" && head.method == .options))
  precondition(head.count(of: "host") <= 1 && head.count(of: "content-length") <= 1)
  precondition(head.count(of: "transfer-encoding") == 0)
  precondition(head.method != .post || head.contentLength != nil)
  _ = head.value(of: "x")
  _ = head.ifNoneMatch(names: [0x22, 0x61, 0x22])
  _ = PercentCoding.pathSegments(head.pathBytes)
  _ = QueryItems(head.query)
  if let upgrade = try? WebSocketUpgrade(head) {
    let request = upgrade.canonicalRequest()
    var parser = RequestParser()
    guard case .complete(let again, request.count) = parser.parse(request.span), again.isWebSocketUpgrade else {
      preconditionFailure("our own request is not read")
    }
  }
}

private func checkTexts(_ bytes: [UInt8]) {
  var fields = HTTPFields()
  if fields.add("x", bytes) {
    precondition(fields.bytes.count == bytes.count + 5 && !bytes.contains(0x0A))
  } else {
    precondition(fields.bytes.isEmpty)
  }
  if let text = PercentCoding.decode(bytes) {
    precondition(PercentCoding.decode(PercentCoding.encode(text)) == text)
  }
}
