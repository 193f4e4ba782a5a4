/// What answers of one kind have in common: the status line and the fields that are always the same, made once.
public struct ResponseTemplate: Sendable {
  let status: Int
  /// Up to the value of `Date`.
  let bytes: [UInt8]
  /// Up to the opaque tag of `ETag`.
  let taggedBytes: [UInt8]
  let hasContent: Bool

  /// - Parameter status: 200…599.
  public init(status: Int, fields: HTTPFields) {
    self.status = status
    hasContent = status != 204 && status != 304
    let line = StatusLine.text(for: status)
    let start = UnsafeBufferPointer(start: line.utf8Start, count: line.utf8CodeUnitCount) + fields.bytes
    bytes = start + "date: ".utf8
    taggedBytes = start + "etag: \"".utf8
  }
}

/// Where the answer to a request goes that is at hand at once: its bytes go straight behind those of earlier answers.
public struct ResponseOutput: ~Copyable {
  /// Earlier answers and this one.
  public private(set) var bytes: [UInt8]
  private let isHead: Bool
  private let keepAlive: Bool
  private let minorVersion: Int
  private let date: [UInt8]

  /// - Parameters:
  ///   - bytes: Earlier answers.
  ///   - head: The request.
  ///   - keepAlive: Whether another request may follow.
  ///   - date: The value of `Date` (`HTTPDate`).
  public init(behind bytes: consuming [UInt8], to head: borrowing RequestHead, keepAlive: Bool, date: [UInt8]) {
    self.bytes = bytes
    isHead = head.line.method == .head
    self.keepAlive = keepAlive
    minorVersion = head.minorVersion
    self.date = date
  }

  /// The bytes, at the end.
  public consuming func take() -> [UInt8] { bytes }

  /// Appends a whole answer. One is appended, once.
  ///
  /// - Parameters:
  ///   - template: Its status and fields.
  ///   - bodyCount: Bytes of the body.
  ///   - body: Appends as many bytes. Not called where none are sent.
  public mutating func append(_ template: ResponseTemplate, bodyCount: Int, body: (inout [UInt8]) -> Void) {
    let isBodySent = isBodySent(template)
    reserve(template.bytes.count + Self.headRoom + (isBodySent ? bodyCount : 0))
    bytes.append(contentsOf: template.bytes)
    appendEnd(template, behindTag: false, bodyCount: bodyCount)
    if isBodySent { append(bodyCount: bodyCount, body) }
  }

  /// The same with an `ETag`.
  ///
  /// - Parameter tag: Appends the opaque tag, without its quotes: at most 64 characters that may stand there.
  public mutating func append(
    _ template: ResponseTemplate, tag: (inout [UInt8]) -> Void, bodyCount: Int, body: (inout [UInt8]) -> Void
  ) {
    let isBodySent = isBodySent(template)
    reserve(template.taggedBytes.count + Self.headRoom + (isBodySent ? bodyCount : 0))
    bytes.append(contentsOf: template.taggedBytes)
    tag(&bytes)
    appendEnd(template, behindTag: true, bodyCount: bodyCount)
    if isBodySent { append(bodyCount: bodyCount, body) }
  }

  private func isBodySent(_ template: ResponseTemplate) -> Bool { template.hasContent && !isHead }

  /// The end of the head, from the date on.
  private mutating func appendEnd(_ template: ResponseTemplate, behindTag hasTag: Bool, bodyCount: Int) {
    let end = ResponseSerializer.connectionField(
      status: template.status, keepAlive: keepAlive, minorVersion: minorVersion)
    bytes.append(addingCapacity: Self.endRoom) { [date] output in
      if hasTag { output.append("\"\r\ndate: ") }
      output.append(date.span)
      if template.hasContent {
        output.append("\r\ncontent-length: ")
        output.append(decimal: bodyCount)
      }
      output.append(end)
    }
  }

  private mutating func append(bodyCount: Int, _ body: (inout [UInt8]) -> Void) {
    let start = bytes.count
    body(&bytes)
    precondition(bytes.count - start == bodyCount, "a body has another length than was declared")
  }

  /// More than the date, the length and the connection take together.
  private static let endRoom = 160
  /// The same and a tag.
  private static let headRoom = endRoom + 64

  /// Doubles at least, so that many small answers do not move the bytes each time.
  private mutating func reserve(_ count: Int) {
    let needed = bytes.count + count
    if needed > bytes.capacity { bytes.reserveCapacity(max(needed, 2 * bytes.capacity)) }
  }
}

extension OutputSpan<UInt8> {
  /// Appends bytes, which must fit.
  fileprivate mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBufferPointer { append($0) }
  }

  fileprivate mutating func append(_ literal: StaticString) {
    append(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    precondition(bytes.count <= freeCapacity, "a head is longer than its room")
    guard let source = bytes.baseAddress else { return }
    withUnsafeMutableBufferPointer { buffer, count in
      // Within the room that was checked above.
      if let start = buffer.baseAddress { (start + count).update(from: source, count: bytes.count) }
      count += bytes.count
    }
  }

  /// Appends the decimal digits of a number that is not negative.
  fileprivate mutating func append(decimal number: Int) {
    var divisor = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      append(ASCII.zero + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }
}
