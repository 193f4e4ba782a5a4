import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

/// The answer to `resolve`, put together from stored bytes, with as many entries as fit (protocol §8).
///
/// It is measured first, so that it can be written in one go, behind a head that says how long it is.
struct Resolution {
  /// A user, and those of its entries that go into the answer.
  private struct Part {
    let id: UserID
    let user: UserSnapshot
    let entries: Range<Int>
  }

  private var parts: [Part] = []
  private var more: [UserID] = []
  private let start: [UInt8]
  private var end: [UInt8] = []
  /// Bytes of the JSON text.
  private(set) var count: Int
  /// Bytes that entries may still take.
  private var room: Int

  /// Bytes that a user takes beside its entries, in `users` or `more`, with room to spare.
  static let bytesPerID = 96
  /// Bytes of everything else but `unknown`.
  static let frameBytes = 512

  /// - Parameters:
  ///   - users: Who was found, for each id in the order of the request.
  ///   - unread: Ids that were not looked for.
  init(
    _ request: ResolveRequest, asOf: AsOf, users: [UserSnapshot?], unread: Set<UserID> = [],
    limit: Int = APILimits.resolveAnswerBytes
  ) {
    let absent = zip(request.ids, users).lazy.filter { $1 == nil && !unread.contains($0) }.map { $0.0 }
    let unknown = Self.text(request.unknown.map { .text($0) } + absent.map { .text($0.text) })
    room = limit - Self.frameBytes - request.ids.count * Self.bytesPerID - unknown.count
    start = Array("{\"asOf\":{\"index\":\(asOf.index),\"time\":\(asOf.time)},\"users\":{".utf8)
    count = start.count
    parts.reserveCapacity(users.count)
    for (id, user) in zip(request.ids, users) {
      if let user {
        add(id, user, after: request.have.isEmpty ? nil : request.have[id])
      } else if unread.contains(id) {
        more.append(id)
      }
    }
    count += max(0, parts.count - 1)
    end += "},\"unknown\":".utf8
    end += unknown
    end += ",\"more\":".utf8
    end += Self.text(more.map { .text($0.text) })
    end.append(UInt8(ascii: "}"))
    count += end.count
  }

  private static func text(_ values: [JSONValue]) -> [UInt8] {
    values.isEmpty ? Array("[]".utf8) : JSONValue.array(values).text
  }

  /// Adds a user with those of its entries that fit. The first entry of an answer always does, since no entry comes
  /// near the limit: so every answer makes progress.
  private mutating func add(_ id: UserID, _ user: UserSnapshot, after hash: RecordHash?) {
    let entries = user.entries
    let first = hash == nil ? 0 : user.entries(afterRecord: hash).startIndex
    var end = first
    while end < entries.count {
      let size = entries[end].recordCount + Self.bytesPerEntry
      guard size <= room else { break }
      room -= size
      count += entries[end].text.count
      end += 1
    }
    if end < entries.count { more.append(id) }
    guard end > first || first == entries.count else { return }
    parts.append(Part(id: id, user: user, entries: first..<end))
    count += id.characterCount + Self.marksPerUser + max(0, end - first - 1)
  }

  /// Most bytes of an entry beside its record: five names, four numbers of at most 16 digits, a comma.
  static let bytesPerEntry = 128

  // MARK: The text

  private static let opening = Array("\":{\"entries\":[".utf8)
  private static let closing = Array("]}".utf8)
  /// Bytes of a user beside its id and entries, without the comma before it.
  private static let marksPerUser = 1 + opening.count + closing.count

  /// The JSON text.
  var text: [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(count)
    append(to: &text)
    return text
  }

  /// Appends the JSON text, `count` bytes.
  func append(to text: inout [UInt8]) {
    text += start
    var isFirst = true
    for part in parts {
      if !isFirst { text.append(UInt8(ascii: ",")) }
      isFirst = false
      text.append(UInt8(ascii: "\""))
      part.id.append(to: &text)
      text += Self.opening
      let entries = part.user.entries
      for index in part.entries {
        if index > part.entries.lowerBound { text.append(UInt8(ascii: ",")) }
        text += entries[index].text
      }
      text += Self.closing
    }
    text += end
  }
}
