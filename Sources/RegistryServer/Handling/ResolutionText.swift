import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

/// The answer to `resolve`, written as users come, with as many entries as fit (protocol §8).
struct ResolutionText: UserSink {
  private(set) var recordBytes = 0
  private let have: [UserID: RecordHash]
  /// The JSON text so far, from its beginning on.
  private var text: [UInt8] = []
  /// What was asked for and is unknown, and what there is more of.
  private var unknown: [JSONValue]
  private var more: [JSONValue] = []
  /// Bytes that entries may still take.
  private var room: Int
  private var isFirst = true

  /// - Parameters:
  ///   - asOf: Up to where the answer is complete.
  ///   - limit: Bytes of the whole answer.
  init(_ request: ResolveRequest, asOf: AsOf, limit: Int = APILimits.resolveAnswerBytes) {
    have = request.have
    unknown = request.unknown.map { .text($0) }
    room = ResolutionFrame.room(limit, ids: request.ids.count, ResolutionFrame.list(unknown))
    text.reserveCapacity(min(request.ids.count * Self.usualBytesPerUser, limit))
    text += ResolutionFrame.start(asOf)
  }

  /// Bytes that are made room for: a claim with two tiers of authority.
  private static let usualBytesPerUser = 1_024

  mutating func take(_ id: UserID, claim: StoredFacts, record: Span<UInt8>) {
    recordBytes += record.count
    let isKnown = !have.isEmpty && have[id] == claim.hash
    guard isKnown || fits(record.count) else { return takeUnread(id) }
    open(id)
    if !isKnown {
      claim.appendHead(to: &text)
      record.withUnsafeBufferPointer { text.append(contentsOf: $0) }
      append("}]}")
    } else {
      append("]}")
    }
  }

  /// The first entry of an answer always fits, since none comes near the limit: so every answer makes progress.
  mutating func take(_ user: UserSnapshot) {
    recordBytes += user.entries.reduce(0) { $0 + $1.recordCount }
    let entries = user.entries(afterRecord: have.isEmpty ? nil : have[user.id])
    let fitting = entries.prefix { fits($0.recordCount) }
    if fitting.count < entries.count { takeUnread(user.id) }
    guard entries.isEmpty || !fitting.isEmpty else { return }
    open(user.id)
    for (number, entry) in fitting.enumerated() {
      if number > 0 { text.append(UInt8(ascii: ",")) }
      text += entry.text
    }
    append("]}")
  }

  mutating func takeUnknown(_ id: UserID) { unknown.append(.text(id.text)) }

  mutating func takeUnread(_ id: UserID) { more.append(.text(id.text)) }

  /// Takes the room for an entry, if there is as much.
  private mutating func fits(_ recordCount: Int) -> Bool {
    let size = recordCount + ResolutionFrame.bytesPerEntry
    guard size <= room else { return false }
    room -= size
    return true
  }

  private mutating func open(_ id: UserID) {
    append(isFirst ? "\"" : ",\"")
    isFirst = false
    id.append(to: &text)
    append("\":{\"entries\":[")
  }

  private mutating func append(_ mark: StaticString) {
    text.append(contentsOf: UnsafeBufferPointer(start: mark.utf8Start, count: mark.utf8CodeUnitCount))
  }

  /// The JSON text, when all users have come.
  consuming func finish() -> [UInt8] {
    text += ResolutionFrame.end(unknown: ResolutionFrame.list(unknown), more: ResolutionFrame.list(more))
    return text
  }
}
