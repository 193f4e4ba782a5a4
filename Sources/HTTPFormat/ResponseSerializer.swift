/// Writes responses as bytes (RFC 9112 §4). Their length is always declared; nothing is ever chunked.
public enum ResponseSerializer {
  /// The interim answer to `Expect: 100-continue`.
  public static let continueResponse: [UInt8] = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// Appends the whole response to `output`, so that answers to pipelined requests leave in one write.
  ///
  /// - Parameters:
  ///   - response: What to send. Its status is 200…599; another is sent as 500.
  ///   - isHead: Whether this answers HEAD: the length is declared, the body is not sent.
  ///   - keepAlive: Whether another request may follow; otherwise the client is told that the connection closes.
  ///   - date: The value of `Date`, 29 bytes (`HTTPDate`), made once per second for all.
  ///   - minorVersion: That of the request. An HTTP/1.0 client is told when the connection stays.
  public static func append(
    _ response: HTTPResponse, to output: inout [UInt8], isHead: Bool, keepAlive: Bool, date: [UInt8],
    minorVersion: Int = 1
  ) {
    let status = (200...599).contains(response.status) ? response.status : 500
    // 204 and 304 end at the empty line (RFC 9112 §6.3); a length there would only be another thing to get wrong.
    let hasContent = status != 204 && status != 304
    output.reserveCapacity(output.count + headRoom + response.fields.bytes.count + response.body.count)
    append(StatusLine.text(for: status), to: &output)
    output.append(contentsOf: response.fields.bytes)
    append("date: ", to: &output)
    output.append(contentsOf: date)
    if hasContent {
      append("\r\ncontent-length: ", to: &output)
      appendDecimal(response.body.count, to: &output)
    }
    append(connectionField(status: status, keepAlive: keepAlive, minorVersion: minorVersion), to: &output)
    if hasContent, !isHead { output.append(contentsOf: response.body) }
  }

  /// More than status line, date, length and connection take together.
  private static let headRoom = 192

  /// The `Connection` field with the line end before it, and the end of the head.
  static func connectionField(status: Int, keepAlive: Bool, minorVersion: Int) -> StaticString {
    // 426 names the protocol in `Upgrade`, which counts only with this option (RFC 9110 §15.5.22, §7.8).
    if status == 426 {
      return keepAlive ? "\r\nconnection: upgrade\r\n\r\n" : "\r\nconnection: upgrade, close\r\n\r\n"
    }
    if !keepAlive { return "\r\nconnection: close\r\n\r\n" }
    return minorVersion == 0 ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\n\r\n"
  }

  private static func append(_ literal: StaticString, to output: inout [UInt8]) {
    output.append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  static func appendDecimal(_ number: Int, to output: inout [UInt8]) {
    if number >= 10 { appendDecimal(number / 10, to: &output) }
    output.append(ASCII.zero + UInt8(number % 10))
  }
}
