import KeyRecords

/// A judged history, and when a registrar last confirmed it by the client's clock.
struct KnownHistory: Sendable {
  let judged: JudgedHistory
  let checked: Milliseconds
}

/// Histories in memory, bounded by count and bytes; those not used for longest go first.
struct HistoryCache {
  private struct Slot {
    let known: KnownHistory
    let bytes: Int
    var used: UInt64
  }

  private let maxCount: Int
  private let maxBytes: Int
  private var slots: [UserID: Slot] = [:]
  private var bytes = 0
  private var tick: UInt64 = 0

  init(maxCount: Int, maxBytes: Int) {
    self.maxCount = maxCount
    self.maxBytes = maxBytes
  }

  var count: Int { slots.count }

  /// Looks a user up, which counts as use.
  mutating func known(_ user: UserID) -> KnownHistory? {
    tick += 1
    slots[user]?.used = tick
    return slots[user]?.known
  }

  mutating func set(_ known: KnownHistory, of user: UserID) {
    tick += 1
    let slot = Slot(known: known, bytes: known.judged.byteCount, used: tick)
    bytes += slot.bytes - (slots.updateValue(slot, forKey: user)?.bytes ?? 0)
    if slots.count > maxCount || bytes > maxBytes { evict() }
  }

  mutating func remove(_ user: UserID) {
    bytes -= slots.removeValue(forKey: user)?.bytes ?? 0
  }

  /// Makes more room than needed, so that it is not done for every new user.
  private mutating func evict() {
    for (user, slot) in slots.sorted(by: { $0.value.used < $1.value.used }) {
      guard slots.count > maxCount - maxCount / 8 || bytes > maxBytes - maxBytes / 8 else { return }
      slots[user] = nil
      bytes -= slot.bytes
    }
  }
}
