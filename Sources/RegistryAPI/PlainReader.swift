import KeyRecords

/// Reads the JSON of a `resolve` that asks for user ids and nothing else. It knows no escapes, as user ids need none.
struct PlainReader {
  private var position = 0

  /// The ids of `{"ids":["…",…]}`; nil for anything else, and for one that comes twice.
  static func ids(_ body: [UInt8]) -> [UserID]? {
    var reader = PlainReader()
    return reader.ids(body.span)
  }

  private mutating func ids(_ text: Span<UInt8>) -> [UserID]? {
    guard take("{", text), take("\"ids\"", text), take(":", text), take("[", text) else { return nil }
    var ids: [UserID] = []
    ids.reserveCapacity(min(APILimits.resolveIDs.upperBound, text.count / (UserID.count + 3)))
    var seen = SeenIDs()
    repeat {
      guard ids.count < APILimits.resolveIDs.upperBound, let id = id(text), seen.insert(id) else { return nil }
      ids.append(id)
    } while take(",", text)
    guard take("]", text), take("}", text) else { return nil }
    skipBlanks(text)
    return position == text.count ? ids : nil
  }

  private mutating func id(_ text: Span<UInt8>) -> UserID? {
    guard take("\"", text) else { return nil }
    for count in [UserID.count, UserID.oldCount] {
      let end = position + count
      guard end < text.count, text[end] == UInt8(ascii: "\"") else { continue }
      defer { position = end + 1 }
      return UserID(text.extracting(position..<end))
    }
    return nil
  }

  /// Passes over blanks and then a mark; false without it.
  private mutating func take(_ mark: StaticString, _ text: Span<UInt8>) -> Bool {
    skipBlanks(text)
    guard text.count - position >= mark.utf8CodeUnitCount else { return false }
    for index in 0..<mark.utf8CodeUnitCount where text[position + index] != mark.utf8Start[index] { return false }
    position += mark.utf8CodeUnitCount
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

/// Ids that came already: a table that is at most half full, with a seed of the process in its hashes.
private struct SeenIDs {
  private static let size = 2_048
  private var table = [UserID?](repeating: nil, count: size)

  /// False where it was there.
  mutating func insert(_ id: UserID) -> Bool {
    var index = id.hashValue & (Self.size - 1)
    while let other = table[index] {
      if other == id { return false }
      index = (index + 1) & (Self.size - 1)
    }
    table[index] = id
    return true
  }
}
