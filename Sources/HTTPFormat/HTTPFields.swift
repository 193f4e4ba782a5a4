/// A block of header fields, serialised as they are added: `name: value` and CR LF each.
///
/// What would break the framing is not added: a name that is no token, a value with CR, LF, NUL or another control
/// character but the tab, and the fields that only the transport may write (`Connection`, `Content-Length`, `Date`,
/// `Transfer-Encoding`). So no text of a user can split a response.
public struct HTTPFields: Hashable, Sendable {
  /// The field lines, each with its CR LF, without the empty line that ends a head.
  public private(set) var bytes: [UInt8] = []

  /// No fields.
  public init() {}

  /// Adds a field; false, and nothing is added, for what is refused (see the type).
  @discardableResult
  public mutating func add(_ name: StaticString, _ value: String) -> Bool {
    add(name, Array(value.utf8))
  }

  /// Adds a field whose value is at hand as bytes.
  @discardableResult
  public mutating func add(_ name: StaticString, _ value: [UInt8]) -> Bool {
    let nameBytes = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    return append(name: nameBytes, value: value)
  }

  /// Adds a field whose name is not known when the program is written.
  @discardableResult
  public mutating func add(name: String, value: [UInt8]) -> Bool {
    append(name: Array(name.utf8), value: value)
  }

  private mutating func append(name: some Collection<UInt8>, value: [UInt8]) -> Bool {
    guard HTTPFields.isAllowed(name), !value.contains(where: ASCII.isForbiddenControl) else { return false }
    bytes.append(contentsOf: name)
    bytes.append(ASCII.colon)
    bytes.append(ASCII.space)
    bytes.append(contentsOf: value)
    bytes.append(ASCII.carriageReturn)
    bytes.append(ASCII.lineFeed)
    return true
  }

  private static func isAllowed(_ name: some Collection<UInt8>) -> Bool {
    guard !name.isEmpty, name.allSatisfy({ ASCII.token.contains($0) }) else { return false }
    switch name.count {
    case 4: return !isSame(name, "date")
    case 10: return !isSame(name, "connection")
    case 14: return !isSame(name, "content-length")
    case 17: return !isSame(name, "transfer-encoding")
    default: return true
    }
  }

  private static func isSame(_ name: some Collection<UInt8>, _ lowercased: String) -> Bool {
    lowercased.utf8.elementsEqual(name.lazy.map(ASCII.lowercased))
  }

  /// The value of a field, several joined by `", "`; nil without such a field. `name` is written in lower case.
  public func value(of name: StaticString) -> String? {
    var value: String?
    var start = 0
    while let end = bytes[start...].firstIndex(of: ASCII.carriageReturn) {
      if let colon = bytes[start..<end].firstIndex(of: ASCII.colon), matches(name, start..<colon) {
        let text = String(decoding: bytes[(colon + 2)..<end], as: UTF8.self)
        value = value.map { $0 + ", " + text } ?? text
      }
      start = end + 2
    }
    return value
  }

  private func matches(_ name: StaticString, _ range: Range<Int>) -> Bool {
    let expected = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    return bytes[range].lazy.map(ASCII.lowercased).elementsEqual(expected)
  }
}
