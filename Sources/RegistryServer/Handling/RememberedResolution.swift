import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

/// The answer to `resolve` for users that memory has, with all their entries: what is usual. It is measured first, so that it
/// can be written in one go, straight from memory, behind a head that says how long it is.
struct RememberedResolution {
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
  init?(_ ids: [UserID], _ users: RememberedUsers, limit: Int = APILimits.resolveAnswerBytes) {
    let absent = users.unclaimedCount == 0 ? [] : ids.indices.filter { users.textByteCount(at: $0) == 0 }
    let unknown = ResolutionFrame.list(absent.map { .text(ids[$0].text) })
    let entryBytes = users.textByteCount + users.entryCount * ResolutionFrame.bytesPerEntry
    guard entryBytes <= ResolutionFrame.room(limit, ids: ids.count, unknown) else { return nil }
    start = ResolutionFrame.start(users.asOf)
    end = ResolutionFrame.end(unknown: unknown, more: ResolutionFrame.list([]))
    let claimed = users.count - absent.count
    let characters = ids.reduce(0) { $0 + $1.characterCount } - absent.reduce(0) { $0 + ids[$1].characterCount }
    count =
      start.count + users.textByteCount + characters + claimed * ResolutionFrame.marksPerUser + max(0, claimed - 1)
      + end.count
    self.ids = ids
    self.users = users
  }

  /// Appends the JSON text, `count` bytes.
  func append(to text: inout [UInt8]) {
    let (opening, closing) = (ResolutionFrame.opening, ResolutionFrame.closing)
    text.append(addingCapacity: count) { output in
      output.append(copying: start.span)
      var isFirst = true
      for (place, id) in ids.enumerated() {
        users.prefetchText(at: place + Self.usersAhead)
        guard users.textByteCount(at: place) > 0 else { continue }
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
        output.append(UInt8(ascii: "\""))
        id.withCharacters { output.append(copying: $0) }
        output.append(copying: opening.span)
        users.appendText(at: place, to: &output)
        output.append(copying: closing.span)
      }
      output.append(copying: end.span)
    }
  }
}
