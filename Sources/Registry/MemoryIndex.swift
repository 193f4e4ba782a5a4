import KeyRecords
import Synchronization

/// Users in memory, shared by all loops, bounded by bytes.
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

  private static func number(of key: MemoryShard.Key) -> Int { Int(key.spread) % shardCount }

  func look(_ key: MemoryShard.Key) -> MemoryShard.Found { box(of: key).shard.withLock { $0.look(key) } }

  /// Gives the block of ``MemoryShard/head(_:through:)`` to `body`, which runs under the lock of a shard. Nothing is copied,
  /// and no reference is counted.
  func withHead<Result: Sendable>(
    _ key: MemoryShard.Key, through index: Int64, _ body: (UserBlock) -> Result
  ) -> Result? {
    box(of: key).shard.withLock { $0.head(key, through: index).map(body) }
  }

  /// Has the memory fetched in which users are looked for, of all of them at a time: it is not there yet when this returns.
  func prefetch(_ keys: [MemoryShard.Key]) {
    for key in keys { box(of: key).shard.withLock { $0.prefetchCell(key) } }
    for key in keys { box(of: key).shard.withLock { $0.prefetchBlock(key) } }
  }

  /// Users of one moment, in the order of their keys; nil where memory has not all that is to be said of them, or has
  /// entries beyond that moment, or where one comes twice. Each shard is locked once, and once more in the end.
  ///
  /// - Parameter asOf: Made before the call, so that nobody in memory lacks an entry up to it.
  func read(_ keys: [MemoryShard.Key], asOf: AsOf) -> RememberedUsers? {
    guard MemoryShard.Key.areDistinct(keys) else { return nil }
    let (order, starts) = Self.byShard(keys)
    var found = [UserBlock?](repeating: nil, count: keys.count)
    var size = RememberedUsers.Size()
    var shards: UInt32 = 0
    for (number, box) in boxes.enumerated() where starts[number] < starts[number + 1] {
      let part = order[starts[number]..<starts[number + 1]]
      let isRead = box.shard.withLock { $0.beginReading(keys, part, through: asOf.index, into: &found, &size) }
      guard isRead else {
        endReading(shards)
        return nil
      }
      shards |= 1 << UInt32(number)
    }
    wholeHits.add(keys.count, ordering: .relaxed)
    return RememberedUsers(found, asOf: asOf, size, of: self, shards: shards)
  }

  /// The numbers of keys, those of one shard together, and where those of each begin.
  private static func byShard(_ keys: [MemoryShard.Key]) -> (order: [Int], starts: [Int]) {
    var starts = [Int](repeating: 0, count: shardCount + 1)
    for key in keys { starts[number(of: key) + 1] += 1 }
    for shard in 0..<shardCount { starts[shard + 1] += starts[shard] }
    var order = [Int](repeating: 0, count: keys.count)
    var ends = starts
    for (number, key) in keys.enumerated() {
      order[ends[Self.number(of: key)]] = number
      ends[Self.number(of: key)] += 1
    }
    return (order, starts)
  }

  /// - Parameter shards: A bit for each.
  func endReading(_ shards: UInt32) {
    for (number, box) in boxes.enumerated() where shards & 1 << UInt32(number) != 0 {
      box.shard.withLock { $0.endReading() }
    }
  }

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
      if shard.has(key) { shard.put(snapshot, for: key) }
    }
  }

  /// Notes that a user is read from the database; gives the read that has been noted before, if there is one.
  func begin(_ fill: Fill, for key: MemoryShard.Key) -> Fill? {
    box(of: key).shard.withLock { shard in
      if let other = shard.fill(of: key) { return other }
      shard.begin(fill, for: key)
      return nil
    }
  }

  /// Ends a read that failed.
  func abandon(_ key: MemoryShard.Key, _ fill: Fill) {
    box(of: key).shard.withLock { shard in
      if shard.fill(of: key) === fill { shard.endFill(of: key) }
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
        let published = shard.published(meanwhile: key)
        if published.count > seen { return published }
        shard.endFill(of: key)
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
      shard.publish(entries, meanwhile: key)
      return whole == nil ? shard.peek(key) : nil
    }
    if let whole { return put(whole, for: key) }
    guard let old, let new = old.map({ $0.appending(entries) }) ?? fresh(entries) else { return }
    box(of: key).shard.withLock { shard in
      // Put out of memory in between, it stays out.
      if shard.has(key) { shard.put(new, for: key) }
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
