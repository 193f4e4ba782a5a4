import KeyRecords

/// Reads the JSON of a `resolve` that asks for user ids and nothing else. It knows no escapes, as user ids need none.
struct PlainReader {
  private var position = 0

  /// The ids of `{"ids":["…",…]}` as they come; nil for anything else.
  static func ids(_ body: [UInt8]) -> [UserID]? {
    var reader = PlainReader()
    return reader.ids(body.span)
  }

  /// Whether each comes once.
  static func areDistinct(_ ids: [UserID]) -> Bool {
    var seen = SeenIDs(ids)
    for place in ids.indices where !seen.insert(place) { return false }
    return true
  }

  private mutating func ids(_ text: Span<UInt8>) -> [UserID]? {
    guard take("{", text), takeName(text), take(":", text), take("[", text) else { return nil }
    var ids: [UserID] = []
    ids.reserveCapacity(min(APILimits.resolveIDs.upperBound, text.count / (UserID.count + 3)))
    repeat {
      guard ids.count < APILimits.resolveIDs.upperBound, let id = id(text) else { return nil }
      ids.append(id)
    } while take(",", text)
    guard take("]", text), take("}", text) else { return nil }
    skipBlanks(text)
    return position == text.count ? ids : nil
  }

  private mutating func id(_ text: Span<UInt8>) -> UserID? {
    guard take("\"", text) else { return nil }
    return id(of: UserID.count, text) ?? id(of: UserID.oldCount, text)
  }

  /// An id of so many characters and the mark behind it.
  private mutating func id(of count: Int, _ text: Span<UInt8>) -> UserID? {
    let end = position + count
    guard end < text.count, text[end] == UInt8(ascii: "\"") else { return nil }
    defer { position = end + 1 }
    return UserID(text.extracting(position..<end))
  }

  /// Passes over blanks and then a mark; false without it.
  private mutating func take(_ mark: Unicode.Scalar, _ text: Span<UInt8>) -> Bool {
    skipBlanks(text)
    guard position < text.count, text[position] == UInt8(ascii: mark) else { return false }
    position += 1
    return true
  }

  private mutating func takeName(_ text: Span<UInt8>) -> Bool {
    let name: StaticString = "ids"
    guard take("\"", text), text.count - position > name.utf8CodeUnitCount else { return false }
    for index in 0..<name.utf8CodeUnitCount where text[position + index] != name.utf8Start[index] { return false }
    position += name.utf8CodeUnitCount
    guard text[position] == UInt8(ascii: "\"") else { return false }
    position += 1
    return true
  }

  /// The white space of JSON.
  private mutating func skipBlanks(_ text: Span<UInt8>) {
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): position += 1
      default: return
      }
    }
  }
}

/// Ids that came already: a table of their places that is at most half full, with a seed of the process in its hashes.
private struct SeenIDs {
  private static let size = 2_048
  private let ids: [UserID]
  /// One more than the place; 0 where there is none.
  private var table = [UInt16](repeating: 0, count: size)

  /// - Parameter ids: At most a thousand.
  init(_ ids: [UserID]) { self.ids = ids }

  /// False where the id of a place was there.
  mutating func insert(_ place: Int) -> Bool {
    let id = ids[place]
    var index = id.hashValue & (Self.size - 1)
    while table[index] > 0 {
      if ids[Int(table[index]) - 1] == id { return false }
      index = (index + 1) & (Self.size - 1)
    }
    table[index] = UInt16(place + 1)
    return true
  }
}
