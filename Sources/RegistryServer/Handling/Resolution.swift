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

  /// - Parameter limit: Bytes of the whole answer.
  init(_ request: ResolveRequest, _ found: ResolvedUsers, limit: Int = APILimits.resolveAnswerBytes) {
    let unread = Set(found.unread)
    let absent = request.ids.lazy.filter { found.users[$0] == nil && !unread.contains($0) }
    let unknown = ResolutionText.list(request.unknown.map { .text($0) } + absent.map { .text($0.text) })
    room = ResolutionText.room(limit, ids: request.ids.count, unknown)
    start = ResolutionText.start(found.asOf)
    count = start.count
    parts.reserveCapacity(found.users.count)
    for id in request.ids {
      if let user = found.users[id] {
        add(id, user, after: request.have.isEmpty ? nil : request.have[id])
      } else if unread.contains(id) {
        more.append(id)
      }
    }
    count += max(0, parts.count - 1)
    end = ResolutionText.end(unknown: unknown, more: more)
    count += end.count
  }

  /// Adds a user with those of its entries that fit. The first entry of an answer always does, since no entry comes
  /// near the limit: so every answer makes progress.
  private mutating func add(_ id: UserID, _ user: UserSnapshot, after hash: RecordHash?) {
    let entries = user.entries
    let first = hash == nil ? 0 : user.entries(afterRecord: hash).startIndex
    var end = first
    while end < entries.count {
      let size = entries[end].recordCount + ResolutionText.bytesPerEntry
      guard size <= room else { break }
      room -= size
      count += entries[end].text.count
      end += 1
    }
    if end < entries.count { more.append(id) }
    guard end > first || first == entries.count else { return }
    parts.append(Part(id: id, user: user, entries: first..<end))
    count += id.characterCount + ResolutionText.marksPerUser + max(0, end - first - 1)
  }

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
      text += ResolutionText.opening
      let entries = part.user.entries
      for index in part.entries {
        if index > part.entries.lowerBound { text.append(UInt8(ascii: ",")) }
        text += entries[index].text
      }
      text += ResolutionText.closing
    }
    text += end
  }
}

/// The same for users that memory has, with all their entries: what is usual. It is written once, straight from memory.
struct RememberedResolution: ~Copyable {
  private let ids: [UserID]
  private let users: RememberedUsers
  private let start: [UInt8]
  private let end: [UInt8]
  /// Bytes of the JSON text.
  let count: Int

  /// Users whose texts are asked for ahead of their turn.
  private static let usersAhead = 3

  /// Nil where it may be that not all fits.
  ///
  /// - Parameters:
  ///   - ids: Each once.
  ///   - users: Theirs, in the same order.
  init?(_ ids: [UserID], _ users: consuming RememberedUsers, limit: Int = APILimits.resolveAnswerBytes) {
    let absent = users.unclaimedCount == 0 ? [] : ids.indices.filter { users.textByteCount(at: $0) == 0 }
    let unknown = ResolutionText.list(absent.map { .text(ids[$0].text) })
    let entryBytes = users.textByteCount + users.entryCount * ResolutionText.bytesPerEntry
    guard entryBytes <= ResolutionText.room(limit, ids: ids.count, unknown) else { return nil }
    start = ResolutionText.start(users.asOf)
    end = ResolutionText.end(unknown: unknown, more: [])
    let claimed = users.count - absent.count
    let characters = ids.reduce(0) { $0 + $1.characterCount } - absent.reduce(0) { $0 + ids[$1].characterCount }
    count =
      start.count + users.textByteCount + characters + claimed * ResolutionText.marksPerUser + max(0, claimed - 1)
      + end.count
    self.ids = ids
    self.users = users
  }

  /// Appends the JSON text, `count` bytes.
  func append(to text: inout [UInt8]) {
    text.append(addingCapacity: count) { output in
      output.append(start)
      var isFirst = true
      for (place, id) in ids.enumerated() {
        users.prefetchText(at: place + Self.usersAhead)
        guard users.textByteCount(at: place) > 0 else { continue }
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
        output.append(UInt8(ascii: "\""))
        id.withCharacters { output.append($0) }
        output.append(ResolutionText.opening)
        users.appendText(at: place, to: &output)
        output.append(ResolutionText.closing)
      }
      output.append(end)
    }
  }
}

/// The pieces of an answer to `resolve` beside its entries.
private enum ResolutionText {
  static let opening = Array("\":{\"entries\":[".utf8)
  static let closing = Array("]}".utf8)
  /// Bytes of a user beside its id and entries, without the comma before it.
  static let marksPerUser = 1 + opening.count + closing.count

  /// Most bytes of an entry beside its record: five names, four numbers of at most 16 digits, a comma.
  static let bytesPerEntry = 128
  /// Bytes that a user takes beside its entries, in `users` or `more`, with room to spare.
  private static let bytesPerID = 96
  /// Bytes of everything else but `unknown`.
  private static let frameBytes = 512

  /// Bytes that entries may take in an answer of at most `limit` bytes.
  static func room(_ limit: Int, ids: Int, _ unknown: [UInt8]) -> Int {
    limit - frameBytes - ids * bytesPerID - unknown.count
  }

  static func start(_ asOf: AsOf) -> [UInt8] {
    Array("{\"asOf\":{\"index\":\(asOf.index),\"time\":\(asOf.time)},\"users\":{".utf8)
  }

  static func end(unknown: [UInt8], more: [UserID]) -> [UInt8] {
    Array("},\"unknown\":".utf8) + unknown + Array(",\"more\":".utf8) + list(more.map { .text($0.text) })
      + [UInt8(ascii: "}")]
  }

  static func list(_ values: [JSONValue]) -> [UInt8] {
    values.isEmpty ? Array("[]".utf8) : JSONValue.array(values).text
  }
}

extension OutputSpan<UInt8> {
  /// Appends bytes, for which there must be room.
  fileprivate mutating func append(_ bytes: Span<UInt8>) {
    withUnsafeMutableBufferPointer { buffer, count in
      bytes.withUnsafeBytes { bytes in
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]).copyMemory(from: bytes)
      }
      count += bytes.count
    }
  }

  fileprivate mutating func append(_ bytes: [UInt8]) { append(bytes.span) }
}
