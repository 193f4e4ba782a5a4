import KeyRecords
import Synchronization

/// Users in memory, shared by all loops: immutable snapshots, bounded by bytes.
///
/// The picture that memory gives of an app is that of its entries up to ``AppMemory/applied``, called A here. It is held by
/// three rules.
///
/// 1. *What is in memory of a user has all of its entries up to A.* Entries are published in the order of their indexes,
///    on the commit loop, after their commit: first every user concerned that is in memory gets them, then A is raised.
/// 2. *A read from the database that is under way cannot bring in something older.* It is noted here before it is sent.
///    The database was asked after the note, so its answer has every entry that was committed, hence published, before
///    the note. What is published between the note and the end of the read is collected beside the note, and put
///    behind the answer under the lock that removes the note. So what is put in has all entries up to A.
/// 3. *No answer leaves with an entry beyond A.* A read may have found entries of other instances that are not published
///    here yet, and a publication may have reached one user and not another. Who finds an entry beyond A waits until A
///    has got there. So all answers of an instance are pictures of one history that only grows, whoever asks for whom.
///
/// A submission is answered after its publication, so an own write is never followed by an older read. Other instances
/// are heard through ``Follower``; while they cannot be, memory stays at A, which is what was answered before.
final class MemoryIndex: Sendable {
  private static let shardCount = 32

  private final class Box: Sendable {
    let shard: Mutex<MemoryShard>
    init(budget: Int) { shard = Mutex(MemoryShard(budget: budget)) }
  }

  /// Whether anything is kept.
  let isEnabled: Bool
  private let boxes: [Box]
  private let wholeHits = Atomic<Int>(0)

  init(bytes: Int) {
    isEnabled = bytes > 0
    boxes = (0..<Self.shardCount).map { _ in Box(budget: max(0, bytes) / Self.shardCount) }
  }

  // Not the part of the hash by which a shard finds the key.
  private func box(of key: MemoryShard.Key) -> Box { boxes[Self.number(of: key)] }

  private static func number(of key: MemoryShard.Key) -> Int { Int(key.hash % UInt64(shardCount)) }

  func look(_ key: MemoryShard.Key) -> MemoryShard.Found { box(of: key).shard.withLock { $0.look(key) } }

  /// See ``MemoryShard/withHead(_:through:_:)``. `body` runs under the lock of a shard.
  func withHead<Result: Sendable>(
    _ key: MemoryShard.Key, through index: Int64, _ body: (borrowing StoredHead) -> Result
  ) -> Result? {
    box(of: key).shard.withLock { $0.withHead(key, through: index, body) }
  }

  /// The snapshots of users, in the order of their keys; nil where memory has not all of them. Each shard is locked once.
  /// For answers that are counted by ``countHits(_:)`` once they are whole.
  func glance(_ keys: [MemoryShard.Key]) -> [UserSnapshot?]? {
    var found = [UserSnapshot?](repeating: nil, count: keys.count)
    // By shard: how many come before each, and then where the next one of it goes.
    var starts = [Int](repeating: 0, count: Self.shardCount + 1)
    for key in keys { starts[Self.number(of: key) + 1] += 1 }
    for shard in 0..<Self.shardCount { starts[shard + 1] += starts[shard] }
    var order = [Int](repeating: 0, count: keys.count)
    var ends = starts
    for (number, key) in keys.enumerated() {
      order[ends[Self.number(of: key)]] = number
      ends[Self.number(of: key)] += 1
    }
    for (number, box) in boxes.enumerated() where starts[number] < starts[number + 1] {
      let part = order[starts[number]..<starts[number + 1]]
      guard box.shard.withLock({ $0.glance(keys, part, into: &found) }) else { return nil }
    }
    return found
  }

  func countHits(_ count: Int) { wholeHits.add(count, ordering: .relaxed) }

  func peek(_ key: MemoryShard.Key) -> UserSnapshot?? { box(of: key).shard.withLock { $0.peek(key) } }

  /// Puts in a user with all entries up to A.
  private func put(_ snapshot: UserSnapshot, for key: MemoryShard.Key) {
    guard isEnabled else { return }
    box(of: key).shard.withLock { $0.put(snapshot, for: key) }
  }

  /// Puts a user whose time has been settled further in the place of what it was made of. Not into an empty place: there,
  /// something may have been published that it lacks.
  func replace(with snapshot: UserSnapshot, for key: MemoryShard.Key) {
    box(of: key).shard.withLock { shard in
      if shard.peek(key) != nil { shard.put(snapshot, for: key) }
    }
  }

  /// Notes that a user is read from the database; gives the read that has been noted before, if there is one.
  func begin(_ fill: Fill, for key: MemoryShard.Key) -> Fill? {
    box(of: key).shard.withLock { shard in
      if let other = shard.underWay[key] { return other.fill }
      shard.underWay[key] = MemoryShard.UnderWay(fill: fill)
      return nil
    }
  }

  /// Ends a read that failed.
  func abandon(_ key: MemoryShard.Key, _ fill: Fill) {
    box(of: key).shard.withLock { shard in
      if shard.underWay[key]?.fill === fill { shard.underWay[key] = nil }
    }
  }

  /// Ends a read: puts what was published meanwhile behind what was read, and the whole into memory.
  func complete(
    _ key: MemoryShard.Key, _ read: UserSnapshot?, fresh: ([JudgedEntry]) -> UserSnapshot?
  ) -> UserSnapshot? {
    var result = read
    var seen = 0
    while true {
      // Snapshots are made outside the lock; if something more came meanwhile, once more.
      let further = box(of: key).shard.withLock { shard -> [JudgedEntry]? in
        let published = shard.underWay[key]?.published ?? []
        if published.count > seen { return published }
        shard.underWay[key] = nil
        if isEnabled { shard.put(result, for: key) }
        return nil
      }
      guard let further else { return result }
      seen = further.count
      result = read.map { $0.appending(further) } ?? fresh(further)
    }
  }

  /// Gives a user its new entries, on the commit loop.
  ///
  /// - Parameter whole: the user with them, where it is at hand.
  func publish(
    _ entries: [JudgedEntry], of key: MemoryShard.Key, whole: UserSnapshot?,
    fresh: ([JudgedEntry]) -> UserSnapshot?
  ) {
    let old = box(of: key).shard.withLock { shard in
      shard.underWay[key]?.published.append(contentsOf: entries)
      return shard.peek(key)
    }
    if let whole { return put(whole, for: key) }
    guard let old, let new = old.map({ $0.appending(entries) }) ?? fresh(entries) else { return }
    box(of: key).shard.withLock { shard in
      // Put out of memory in between, it stays out.
      if shard.peek(key) != nil { shard.put(new, for: key) }
    }
  }

  func addCounts(to metrics: inout RegistryMetrics) {
    metrics.memoryHits += wholeHits.load(ordering: .relaxed)
    for box in boxes {
      box.shard.withLock { shard in
        metrics.memoryHits += shard.hits
        metrics.memoryMisses += shard.misses
        metrics.memoryEvictions += shard.evictions
        metrics.memoryUsers += shard.count
        metrics.memoryBytes += shard.bytes
      }
    }
  }
}
