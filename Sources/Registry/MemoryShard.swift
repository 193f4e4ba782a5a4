import KeyRecords

/// A part of the ``MemoryIndex``, behind one lock.
struct MemoryShard {
  struct Key: Hashable {
    let app: Int32
    let user: UserID
    /// Worked out once for everything that is looked up by it; seeded at random for each process.
    let hash: UInt64

    init(app: Int32, user: UserID) {
      self.app = app
      self.user = user
      var hasher = Hasher()
      hasher.combine(app)
      hasher.combine(user)
      hash = UInt64(truncatingIfNeeded: hasher.finalize())
    }

    static func == (left: Key, right: Key) -> Bool { left.user == right.user && left.app == right.app }

    func hash(into hasher: inout Hasher) { hasher.combine(hash) }
  }

  /// A user in memory; without a snapshot it is one that nobody has claimed.
  private struct Slot {
    let key: Key
    var snapshot: UserSnapshot?
    var cost: Int
    /// Whether it was asked for since the hand came by.
    var isReferenced: Bool
    /// The head of the snapshot, where it is the answer for good.
    ///
    /// It is here beside the snapshot because each step from one object to the next is a wait for memory, which is what
    /// a look-up costs most.
    var head: StoredHead?
  }

  /// A read from the database that is under way, and what was published about the user meanwhile.
  struct UnderWay {
    let fill: Fill
    var published: [JudgedEntry] = []
  }

  /// What memory has of a user.
  enum Found {
    case known(UserSnapshot?)
    case underWay(Fill)
    case nothing
  }

  let budget: Int
  private(set) var bytes = 0
  private(set) var hits = 0
  private(set) var misses = 0
  private(set) var evictions = 0
  private var places = SlotTable()
  private var slots: [Slot] = []
  private var hand = 0
  var underWay: [Key: UnderWay] = [:]

  init(budget: Int) { self.budget = budget }

  var count: Int { slots.count }

  private func place(of key: Key) -> Int? { places.place(key.hash) { slots[$0].key == key } }

  /// Looks for a user on behalf of somebody who asks.
  mutating func look(_ key: Key) -> Found {
    if let snapshot = glance(key) {
      hits += 1
      return .known(snapshot)
    }
    misses += 1
    return underWay[key].map { .underWay($0.fill) } ?? .nothing
  }

  /// The same where memory has the user; counts nothing.
  mutating func glance(_ key: Key) -> UserSnapshot?? {
    guard let place = place(of: key) else { return nil }
    if !slots[place].isReferenced { slots[place].isReferenced = true }
    return slots[place].snapshot
  }

  /// The snapshots of many users, for those keys that `order` names; false where one is not in memory.
  ///
  /// First all places, then all snapshots: between two places nothing is counted or locked, so that the processor waits
  /// for the memory of several at a time.
  mutating func glance(_ keys: [Key], _ order: ArraySlice<Int>, into found: inout [UserSnapshot?]) -> Bool {
    var places: [Int] = []
    places.reserveCapacity(order.count)
    for number in order {
      guard let place = place(of: keys[number]) else { return false }
      places.append(place)
    }
    for (number, place) in zip(order, places) {
      if !slots[place].isReferenced { slots[place].isReferenced = true }
      found[number] = slots[place].snapshot
    }
    return true
  }

  /// Gives the head of a user to `body`, if it is the answer for good and of no later index. Nothing is copied and no
  /// reference is counted: the first touch of an object's count would be a wait for memory in which nothing else goes on.
  mutating func withHead<Result: Sendable>(_ key: Key, through index: Int64, _ body: (borrowing StoredHead) -> Result)
    -> Result?
  {
    guard let place = place(of: key) else { return nil }
    if !slots[place].isReferenced { slots[place].isReferenced = true }
    return slots.withUnsafeBufferPointer { slots in
      switch slots[place].head {
      case .some(let head) where head.lastIndex <= index:
        hits += 1
        return body(head)
      default: return nil
      }
    }
  }

  /// The snapshot, where the user is in memory; leaves no trace.
  func peek(_ key: Key) -> UserSnapshot?? { place(of: key).map { slots[$0].snapshot } }

  /// Puts a user in, unless memory has one that is newer. Nil is somebody nobody has claimed.
  mutating func put(_ snapshot: UserSnapshot?, for key: Key) {
    let cost = snapshot?.memoryCost ?? Self.unknownCost
    if let place = place(of: key) {
      guard (slots[place].snapshot?.lastIndex ?? -1) <= snapshot?.lastIndex ?? -1 else { return }
      bytes += cost - slots[place].cost
      slots[place].snapshot = snapshot
      slots[place].cost = cost
      slots[place].head = snapshot.flatMap { StoredHead($0) }
    } else if cost <= budget, slots.count < Int(Int32.max) {
      // Not referenced yet: what is asked for once, such as ids that somebody makes up, goes first.
      places.insert(slots.count, key.hash)
      let head = snapshot.flatMap { StoredHead($0) }
      slots.append(Slot(key: key, snapshot: snapshot, cost: cost, isReferenced: false, head: head))
      bytes += cost
    }
    while bytes > budget && !slots.isEmpty { evictOne() }
  }

  /// The clock algorithm: the hand passes over what was asked for since it last came by, and takes the next.
  private mutating func evictOne() {
    while true {
      if hand >= slots.count { hand = 0 }
      guard slots[hand].isReferenced else { break }
      slots[hand].isReferenced = false
      hand += 1
    }
    bytes -= slots[hand].cost
    places.remove(hand, slots[hand].key.hash)
    evictions += 1
    let last = slots.removeLast()
    if hand < slots.count {
      places.move(slots.count, to: hand, last.key.hash)
      slots[hand] = last
    }
  }

  /// What a user that is known to be unknown takes, the table's share included.
  static let unknownCost = 192
}

/// What `GET …/keys/{user}` says of an active user whom time does nothing to.
struct StoredHead {
  /// The index of the user's newest entry.
  let lastIndex: Int64
  /// The record hash.
  let hash: RecordHash
  private let text: [UInt8]
  private let recordStart: Int

  /// Nil where the answer is another, or changes by time.
  init?(_ user: UserSnapshot) {
    guard user.validUntil == .max, case .record(let entry) = user.key else { return nil }
    lastIndex = user.lastIndex
    hash = entry.hash
    text = entry.text
    recordStart = entry.recordStart
  }

  /// How many bytes the record has.
  var recordCount: Int { text.count - 1 - recordStart }

  /// Gives the record's bytes to `body`.
  func withRecord<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    body(text.span.extracting(recordStart..<(text.count - 1)))
  }
}

extension UserSnapshot {
  private static let fixedCost = 1_024
  private static let entryCost = 768

  /// A careful estimate of the bytes that this takes: the entries, what is kept beside each, and the text of the state,
  /// whose authority is part of the head and which has less than 500 bytes for each entry and its key.
  var memoryCost: Int {
    let texts = entries.reduce(0) { $0 + $1.text.count }
    return Self.fixedCost + Self.entryCost * entries.count + texts + (entries.map(\.text.count).max() ?? 0)
  }
}
