import KeyRecords

/// A part of the ``MemoryIndex``, behind one lock.
struct MemoryShard: ~Copyable {
  /// What memory has of a user.
  enum Found {
    case known(UserSnapshot?)
    case underWay(Fill)
    case nothing
  }

  /// A read from the database that is under way, and what was published about the user meanwhile.
  private final class UnderWay {
    let key: Key
    let fill: Fill
    var published: [JudgedEntry] = []

    init(_ key: Key, _ fill: Fill) {
      self.key = key
      self.fill = fill
    }
  }

  let budget: Int
  private(set) var bytes = 0
  private(set) var hits = 0
  private(set) var misses = 0
  private(set) var evictions = 0
  private var table = HashTable<UserBlock>()
  /// The blocks of the table, over which the hand goes. Each knows its place here.
  private var blocks: [UserBlock] = []
  private var hand = 0
  private var contexts = ClaimContexts()
  /// How many go over blocks without the lock.
  private var readers = 0
  /// Blocks that are out of the table and may still be read.
  private var leaving: [UserBlock] = []
  private var underWay = HashTable<UnderWay>()

  init(budget: Int) { self.budget = budget }

  deinit {
    for block in blocks { block.deallocate() }
    for block in leaving { block.deallocate() }
  }

  var count: Int { blocks.count }

  // MARK: Looking

  private func block(_ key: Key) -> UserBlock? { table.first(key.hash) { $0.holds(key) } }

  /// Looks for a user on behalf of somebody who asks.
  mutating func look(_ key: Key) -> Found {
    if let block = block(key) {
      block.isReferenced = true
      hits += 1
      return .known(block.snapshot)
    }
    misses += 1
    return fill(of: key).map { .underWay($0) } ?? .nothing
  }

  /// The block of a user whose head is the answer for good, and of no later index. To be read under the lock.
  mutating func head(_ key: Key, through index: Int64) -> UserBlock? {
    let found = table.first(key.hash) { block in
      // Its lines come together. Of another user with the same hash, which is rare, they come in vain.
      block.prefetch()
      return block.holds(key)
    }
    guard let block = found else { return nil }
    block.isReferenced = true
    guard block.hasHead, block.lastIndex <= index else { return nil }
    hits += 1
    return block
  }

  /// Has the cells fetched in which the search for a user begins.
  func prefetchCell(_ key: Key) { table.prefetch(key.hash) }

  /// Has the block fetched that the search for a user comes to first.
  func prefetchBlock(_ key: Key) { table.first(key.hash) { _ in true }?.prefetch() }

  /// Whether memory has the user; leaves no trace.
  func has(_ key: Key) -> Bool { block(key) != nil }

  /// The snapshot, where the user is in memory; leaves no trace.
  func peek(_ key: Key) -> UserSnapshot?? { block(key).map { $0.snapshot } }

  // MARK: Reading many without the lock

  /// Finds the blocks of many users, of those keys that `part` names. They may be read without the lock until
  /// ``endReading()``, which must follow. False, and nothing must follow, where memory has not all that is to be said of
  /// one of them, or has an entry of a later index.
  ///
  /// It goes over them three times, so that the processor waits for the memory of many at a time.
  mutating func beginReading(
    _ keys: [Key], _ part: ArraySlice<Int>, through index: Int64, into found: inout [UserBlock?],
    _ size: inout RememberedUsers.Size
  ) -> Bool {
    // Who leaves goes when nobody reads: so that this happens, nobody begins while somebody leaves.
    guard leaving.isEmpty else { return false }
    for number in part { table.prefetch(keys[number].hash) }
    for number in part {
      let block = table.first(keys[number].hash) { _ in true }
      block?.prefetchFacts()
      found[number] = block
    }
    for number in part {
      let key = keys[number]
      // Another one may have the same hash.
      let first = found[number].flatMap { $0.holds(key) ? $0 : block(key) }
      guard let block = first, block.isWhole, block.lastIndex <= index else { return false }
      block.isReferenced = true
      found[number] = block
      size.textBytes += Int(block.textCount)
      size.entries += block.entryCount
      if block.lastIndex < 0 { size.unclaimed += 1 }
    }
    readers += 1
    return true
  }

  mutating func endReading() {
    readers -= 1
    guard readers == 0, !leaving.isEmpty else { return }
    for block in leaving { block.deallocate() }
    leaving = []
  }

  /// Frees a block that has been taken out of the table.
  private mutating func release(_ block: UserBlock) {
    if readers == 0 { block.deallocate() } else { leaving.append(block) }
  }

  // MARK: Putting in and out

  /// Puts a user in, unless memory has one that is newer. Nil is somebody nobody has claimed.
  mutating func put(_ snapshot: UserSnapshot?, for key: Key) {
    let old = block(key)
    if let old, old.lastIndex > snapshot?.lastIndex ?? -1 { return }
    guard blocks.count < Int(UInt32.max) else { return }
    let new = UserBlock(snapshot, for: key, at: old?.place ?? blocks.count, &contexts)
    guard new.cost <= budget else {
      new.deallocate()
      if let old { remove(old) }
      return
    }
    bytes += new.cost
    if let old {
      new.isReferenced = old.isReferenced
      table.replace(key.hash, with: new) { $0.holds(key) }
      blocks[old.place] = new
      bytes -= old.cost
      release(old)
    } else {
      // Not referenced yet: what is asked for once, such as ids that somebody makes up, goes first.
      table.insert(new, key.hash)
      blocks.append(new)
    }
    while bytes > budget && !blocks.isEmpty { evictOne() }
  }

  /// The clock algorithm: the hand passes over what was asked for since it last came by, and takes the next.
  private mutating func evictOne() {
    while true {
      if hand >= blocks.count { hand = 0 }
      guard blocks[hand].isReferenced else { break }
      blocks[hand].isReferenced = false
      hand += 1
    }
    remove(blocks[hand])
  }

  private mutating func remove(_ block: UserBlock) {
    bytes -= block.cost
    evictions += 1
    let place = block.place
    table.remove(block.hash) { $0.place == place }
    let last = blocks.removeLast()
    if place < blocks.count {
      last.place = place
      blocks[place] = last
    }
    release(block)
  }

  // MARK: Reads from the database

  private func note(of key: Key) -> UnderWay? { underWay.first(key.hash) { $0.key == key } }

  /// The read of a user that is under way.
  func fill(of key: Key) -> Fill? { note(of: key)?.fill }

  /// Notes a read of a user of which none is under way.
  mutating func begin(_ fill: Fill, for key: Key) { underWay.insert(UnderWay(key, fill), key.hash) }

  /// What was published about the user since its read was noted.
  func published(meanwhile key: Key) -> [JudgedEntry] { note(of: key)?.published ?? [] }

  /// Puts entries beside the note of a read, if there is one.
  func publish(_ entries: [JudgedEntry], meanwhile key: Key) { note(of: key)?.published.append(contentsOf: entries) }

  /// Ends the note of a read.
  mutating func endFill(of key: Key) { underWay.remove(key.hash) { $0.key == key } }
}
