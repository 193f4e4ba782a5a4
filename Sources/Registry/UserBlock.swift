import CPrefetch
import Cryptography
import KeyRecords

/// A user in memory, in one piece: what it is found by, what answers say of it, and the text of its entries, side by side.
///
/// Each step from one object to the next is a wait for memory (100 ns and more), and so is the first touch of an object's
/// reference count: these are what a look-up costs most. So this is plain memory, which its ``MemoryShard`` makes and
/// frees, and which is not counted. Of users with a claim alone, which are most, it is all that is kept.
///
/// `@unchecked Sendable`: all but `place` and `isReferenced` is written once, before anybody else sees it; these two are
/// read and written under the lock of the shard only. The shard frees a block when nobody can read it any more.
struct UserBlock: @unchecked Sendable {
  /// What stands before the text. What a look-up compares is in the first 64 bytes.
  private struct Facts {
    let user: UserID
    /// -1 where nobody has claimed the id.
    let lastIndex: Int64
    let app: Int32
    let hash: UInt32
    /// How many entries the text has; 0 where it is left out.
    let entryCount: UInt32
    /// The place of the record of the head in the text; empty where the head is not the answer for good.
    let recordStart: UInt32
    let recordCount: UInt32
    var place: UInt32
    /// The record hash of the head; zero without a record.
    let recordHash: RecordHash
    let origin: Origin
    var isReferenced = false
  }

  /// What a snapshot is made of, beside the text.
  private enum Origin {
    case nobody
    /// A claim alone, whose entry is the text.
    case claim(ClaimContext, accepted: Milliseconds, effective: Milliseconds)
    case snapshot(UserSnapshot)
  }

  private let facts: UnsafeMutablePointer<Facts>
  /// Bytes of the text: the JSON texts of the entries with commas between them.
  let textCount: UInt32

  /// Longer texts are not kept a second time beside the snapshot that has them.
  private static let mostTextBytes = 1 << 20

  // MARK: Its life

  /// A block, to be freed by ``deallocate()``.
  ///
  /// - Parameters:
  ///   - user: Nil for somebody nobody has claimed.
  ///   - contexts: Those of other claims, one of which may be this one's.
  init(_ user: UserSnapshot?, for key: MemoryShard.Key, at place: Int, _ contexts: inout ClaimContexts) {
    var entries = user?.entries ?? []
    var count = entries.reduce(max(0, entries.count - 1)) { $0 + $1.text.count }
    if count > Self.mostTextBytes { (entries, count) = ([], 0) }
    let head = user.flatMap { Self.head(of: $0, among: entries) }
    facts = UnsafeMutableRawPointer.allocate(
      byteCount: MemoryLayout<Facts>.stride + count, alignment: MemoryLayout<Facts>.alignment
    ).bindMemory(to: Facts.self, capacity: 1)
    facts.initialize(
      to: Facts(
        user: key.user, lastIndex: user?.lastIndex ?? -1, app: key.app, hash: key.hash,
        entryCount: UInt32(entries.count), recordStart: UInt32(head?.start ?? 0),
        recordCount: UInt32(head?.entry.recordCount ?? 0), place: UInt32(place),
        recordHash: head?.entry.hash ?? RecordHash(Bytes32()),
        origin: user.map { Self.origin(of: $0, with: entries, &contexts) } ?? .nobody))
    textCount = UInt32(count)
    write(entries)
  }

  /// The entry that is the answer to `GET …/keys/{user}` for good, and where its record begins in the text.
  private static func head(of user: UserSnapshot, among entries: [StoredEntry]) -> (entry: StoredEntry, start: Int)? {
    guard user.validUntil == .max, case .record(let head) = user.key else { return nil }
    var start = 0
    for entry in entries {
      if entry.index == head.index { return (entry, start + entry.recordStart) }
      start += entry.text.count + 1
    }
    return nil
  }

  private static func origin(
    of user: UserSnapshot, with entries: [StoredEntry], _ contexts: inout ClaimContexts
  ) -> Origin {
    guard entries.count == 1, let claim = user.claimAlone, let effective = claim.stored.effective else {
      return .snapshot(user)
    }
    let context = contexts.context(app: user.app, policy: claim.policy)
    return .claim(context, accepted: claim.stored.accepted, effective: effective)
  }

  private func write(_ entries: [StoredEntry]) {
    var rest = UnsafeMutableRawBufferPointer(start: textStart, count: Int(textCount))
    for (number, entry) in entries.enumerated() {
      if number > 0 {
        rest[0] = UInt8(ascii: ",")
        rest = UnsafeMutableRawBufferPointer(rebasing: rest[1...])
      }
      // Checks that there is room.
      rest.copyBytes(from: entry.text)
      rest = UnsafeMutableRawBufferPointer(rebasing: rest[entry.text.count...])
    }
  }

  /// Frees it. It must not be used any more.
  func deallocate() {
    facts.deinitialize(count: 1)
    UnsafeMutableRawPointer(facts).deallocate()
  }

  /// A careful estimate of the bytes that it takes, its part of the tables of its shard included.
  var cost: Int {
    let snapshotCost = if case .snapshot(let user) = facts.pointee.origin { user.memoryCost } else { 0 }
    return MemoryLayout<Facts>.stride + Int(textCount) + Self.tableCost + snapshotCost
  }

  /// What the allocator adds, a cell of a table that may be filled to a quarter, and a place in a list.
  private static let tableCost = 96

  // MARK: What is looked up

  func holds(_ key: MemoryShard.Key) -> Bool { facts.pointee.user == key.user && facts.pointee.app == key.app }

  /// The part of the key's hash by which the table finds it.
  var hash: UInt32 { facts.pointee.hash }
  /// The index of the newest entry; -1 where nobody has claimed the id.
  var lastIndex: Int64 { facts.pointee.lastIndex }
  /// How many entries the text has: all of the user, or none where they are too long to be kept here.
  var entryCount: Int { Int(facts.pointee.entryCount) }
  /// Whether it has all that is to be said of the entries.
  var isWhole: Bool { entryCount > 0 || lastIndex < 0 }
  /// Whether there is an answer to `GET …/keys/{user}` that does not change by time.
  var hasHead: Bool { facts.pointee.recordCount > 0 }
  /// The hash of the record that is this answer; zero without one.
  var recordHash: RecordHash { facts.pointee.recordHash }

  /// Where it stands in the list of its shard. Under the lock only.
  var place: Int {
    get { Int(facts.pointee.place) }
    nonmutating set { facts.pointee.place = UInt32(newValue) }
  }

  /// Whether it was asked for since the hand came by. Under the lock only.
  var isReferenced: Bool {
    get { facts.pointee.isReferenced }
    // Most are referenced already: a line that is not written to need not be written back.
    nonmutating set { if facts.pointee.isReferenced != newValue { facts.pointee.isReferenced = newValue } }
  }

  private var textStart: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(facts) + MemoryLayout<Facts>.stride
  }

  /// The text's bytes, which must not be kept.
  var text: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: textStart, count: Int(textCount)) }

  /// Gives the bytes of the head's record to `body`; none without a head.
  func withRecord<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    let start = Int(facts.pointee.recordStart)
    return text[start..<(start + Int(facts.pointee.recordCount))].withMemoryRebound(to: UInt8.self) { body($0.span) }
  }

  /// Everything about the user; nil where nobody has claimed the id.
  var snapshot: UserSnapshot? {
    switch facts.pointee.origin {
    case .nobody: return nil
    case .snapshot(let user): return user
    case .claim(let context, let accepted, let effective):
      let facts = facts.pointee
      let entry = StoredEntry(
        claim: Array(text), recordStart: Int(facts.recordStart), index: facts.lastIndex, accepted: accepted,
        effective: effective, subject: facts.user, hash: facts.recordHash)
      return UserSnapshot(app: context.app, facts.user, claim: JudgedEntry(stored: entry, policy: context.policy))
    }
  }

  // MARK: Ahead of time

  /// Has the lines fetched that a look-up compares.
  func prefetchFacts() { cprefetch_line(facts) }

  /// Has everything fetched, as far as it is of the usual length.
  func prefetch() {
    let count = min(MemoryLayout<Facts>.stride + Int(textCount), Self.mostPrefetchedBytes)
    for offset in stride(from: 0, to: count, by: Self.lineBytes) { cprefetch_line(UnsafeRawPointer(facts) + offset) }
  }

  private static let lineBytes = 64
  private static let mostPrefetchedBytes = 1_536
}

/// What a claim alone needs beside its entry to be a snapshot again. Very many have the same.
final class ClaimContext: Sendable {
  let app: AppID
  /// What it was judged under.
  let policy: PolicyRules

  init(app: AppID, policy: PolicyRules) {
    self.app = app
    self.policy = policy
  }
}

/// The contexts that claims had last. Others live as long as a block refers to them.
struct ClaimContexts {
  private static let most = 16
  private var last: [ClaimContext] = []

  /// The context with these values: one that is there, or a new one.
  mutating func context(app: AppID, policy: PolicyRules) -> ClaimContext {
    if let place = last.firstIndex(where: { $0.app == app && $0.policy == policy }) {
      if place > 0 { last.swapAt(0, place) }
      return last[0]
    }
    let new = ClaimContext(app: app, policy: policy)
    if last.count == Self.most { last.removeLast() }
    last.insert(new, at: 0)
    return new
  }
}
