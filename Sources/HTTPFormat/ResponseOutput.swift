/// What answers of one kind have in common: the status line and the fields that are always the same, made once.
public struct ResponseTemplate: Sendable {
  let status: Int
  let bytes: [UInt8]

  /// - Parameter status: 200…599.
  public init(status: Int, fields: HTTPFields) {
    self.status = status
    let line = StatusLine.text(for: status)
    bytes = UnsafeBufferPointer(start: line.utf8Start, count: line.utf8CodeUnitCount) + fields.bytes
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
    isHead = head.method == .head
    self.keepAlive = keepAlive
    minorVersion = head.minorVersion
    self.date = date
  }

  /// The bytes, at the end.
  public consuming func take() -> [UInt8] { bytes }

  /// Appends a whole answer. It is called once.
  ///
  /// - Parameters:
  ///   - template: Its status and fields.
  ///   - tag: Appends the opaque tag of the `ETag`, without its quotes: characters that may stand there. Nil for none.
  ///   - bodyCount: Bytes of the body.
  ///   - body: Appends as many bytes. Not called where none are sent.
  public mutating func append(
    _ template: ResponseTemplate, tag: ((inout [UInt8]) -> Void)? = nil, bodyCount: Int, body: (inout [UInt8]) -> Void
  ) {
    let hasContent = template.status != 204 && template.status != 304
    let isBodySent = hasContent && !isHead
    reserve(template.bytes.count + Self.headRoom + (isBodySent ? bodyCount : 0))
    bytes.append(contentsOf: template.bytes)
    if let tag {
      append("etag: \"")
      tag(&bytes)
      append("\"\r\ndate: ")
    } else {
      append("date: ")
    }
    bytes.append(contentsOf: date)
    if hasContent {
      append("\r\ncontent-length: ")
      ResponseSerializer.appendDecimal(bodyCount, to: &bytes)
    }
    append(
      ResponseSerializer.connectionField(status: template.status, keepAlive: keepAlive, minorVersion: minorVersion))
    guard isBodySent else { return }
    let start = bytes.count
    body(&bytes)
    precondition(bytes.count - start == bodyCount, "a body has another length than was declared")
  }

  /// More than a tag, the date, the length and the connection take together.
  private static let headRoom = 320

  /// Doubles at least, so that many small answers do not move the bytes each time.
  private mutating func reserve(_ count: Int) {
    let needed = bytes.count + count
    if needed > bytes.capacity { bytes.reserveCapacity(max(needed, 2 * bytes.capacity)) }
  }

  private mutating func append(_ literal: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }
}
