import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

/// The answer to `resolve`, put together from stored bytes, with as many entries as fit (protocol §8).
struct Resolution {
  /// The JSON text.
  private(set) var text: [UInt8] = []
  private var more: [UserID] = []
  private var unknown: [JSONValue] = []
  private var hasUsers = false
  /// Bytes that entries may still take.
  private var room: Int

  /// Bytes that a user takes beside its entries, in `users` or `more`, with room to spare.
  private static let bytesPerID = 96
  /// Bytes of everything else but `unknown`.
  private static let frameBytes = 512

  /// - Parameter limit: Bytes of the whole answer.
  init(_ request: ResolveRequest, _ found: ResolvedUsers, limit: Int = APILimits.resolveAnswerBytes) {
    let unread = Set(found.unread)
    let unclaimed = request.ids.filter { found.users[$0] == nil && !unread.contains($0) }
    unknown = request.unknown.map { .text($0) } + unclaimed.map { .text($0.text) }
    let unknownText = JSONValue.array(unknown).text
    room = limit - Self.frameBytes - request.ids.count * Self.bytesPerID - unknownText.count
    text += "{\"asOf\":{\"index\":\(found.asOf.index),\"time\":\(found.asOf.time)},\"users\":{".utf8
    for id in request.ids {
      if unread.contains(id) { more.append(id) }
      guard let user = found.users[id] else { continue }
      append(id, user.entries(afterRecord: request.have[id]))
    }
    text += "},\"unknown\":".utf8
    text += unknownText
    text += ",\"more\":".utf8
    text += JSONValue.array(more.map { .text($0.text) }).text
    text.append(UInt8(ascii: "}"))
  }

  /// Appends a user with those of its entries that fit. The first entry of an answer always does, since no entry comes
  /// near the limit: so every answer makes progress.
  private mutating func append(_ id: UserID, _ entries: ArraySlice<StoredEntry>) {
    var end = entries.startIndex
    while end < entries.endIndex {
      let size = entries[end].record.count + Self.bytesPerEntry
      guard size <= room else { break }
      room -= size
      end += 1
    }
    if end < entries.endIndex { more.append(id) }
    guard end > entries.startIndex || entries.isEmpty else { return }
    if hasUsers { text.append(UInt8(ascii: ",")) }
    hasUsers = true
    text += "\"\(id)\":{\"entries\":".utf8
    EntryList.append(entries[entries.startIndex..<end], to: &text)
    text.append(UInt8(ascii: "}"))
  }

  /// Most bytes of an entry beside its record: five names, four numbers of at most 16 digits, a comma.
  private static let bytesPerEntry = 128
}
