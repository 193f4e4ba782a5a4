import KeyRecords

/// A part of the ``MemoryIndex``, behind one lock.
struct MemoryShard {
  struct Key: Hashable {
    let app: Int32
    let user: UserID
  }

  /// A user in memory; without a snapshot it is one that nobody has claimed.
  private struct Slot {
    let key: Key
    var snapshot: UserSnapshot?
    var cost: Int
    /// Whether it was asked for since the hand came by.
    var isReferenced: Bool
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
  private var places: [Key: Int] = [:]
  private var slots: [Slot] = []
  private var hand = 0
  var underWay: [Key: UnderWay] = [:]

  init(budget: Int) { self.budget = budget }

  var count: Int { slots.count }

  /// Looks for a user on behalf of somebody who asks.
  mutating func look(_ key: Key) -> Found {
    if let place = places[key] {
      hits += 1
      if !slots[place].isReferenced { slots[place].isReferenced = true }
      return .known(slots[place].snapshot)
    }
    misses += 1
    return underWay[key].map { .underWay($0.fill) } ?? .nothing
  }

  /// The snapshot, where the user is in memory; leaves no trace.
  func peek(_ key: Key) -> UserSnapshot?? { places[key].map { slots[$0].snapshot } }

  /// Puts a user in, unless memory has one that is newer. Nil is somebody nobody has claimed.
  mutating func put(_ snapshot: UserSnapshot?, for key: Key) {
    let cost = snapshot?.memoryCost ?? Self.unknownCost
    if let place = places[key] {
      guard (slots[place].snapshot?.lastIndex ?? -1) <= snapshot?.lastIndex ?? -1 else { return }
      bytes += cost - slots[place].cost
      slots[place].snapshot = snapshot
      slots[place].cost = cost
    } else if cost <= budget {
      // Not referenced yet: what is asked for once, such as ids that somebody makes up, goes first.
      places[key] = slots.count
      slots.append(Slot(key: key, snapshot: snapshot, cost: cost, isReferenced: false))
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
    places[slots[hand].key] = nil
    evictions += 1
    let last = slots.removeLast()
    if hand < slots.count {
      slots[hand] = last
      places[last.key] = hand
    }
  }

  /// What a user that is known to be unknown takes, the table's share included.
  static let unknownCost = 192
}

extension UserSnapshot {
  private static let fixedCost = 1_024
  private static let entryCost = 768

  /// A careful estimate of the bytes that this takes: the records, what is kept of each entry, and the text of the state,
  /// whose authority is part of the head and which has less than 500 bytes for each entry and its key.
  var memoryCost: Int {
    let records = entries.reduce(0) { $0 + $1.record.count }
    return Self.fixedCost + Self.entryCost * entries.count + records + (entries.map(\.record.count).max() ?? 0)
  }
}
