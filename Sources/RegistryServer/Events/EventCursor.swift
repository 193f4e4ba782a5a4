/// Where a consumer of the event feed stands: first it reads up from the stored entries, then it follows what is
/// published. Between the two nothing is lost and nothing comes twice. No I/O.
struct EventCursor: Sendable, Equatable {
  /// Where entries come from.
  enum Phase: Sendable, Equatable {
    /// From pages that are read; what is published meanwhile is left to them.
    case catchingUp
    /// From what is published.
    case live
  }

  /// What to do with a published entry.
  enum Decision: Sendable, Equatable {
    /// Send it.
    case send
    /// It was sent, or a page will bring it.
    case ignore
    /// Something is missing before it: pages have to be read again.
    case readOn
  }

  /// The index of the next entry to send.
  private(set) var next: Int64
  /// Where that comes from.
  private(set) var phase = Phase.catchingUp

  /// A consumer that has everything up to `after`; nil: nothing.
  init(after: Int64?) {
    next = after.map { $0 + 1 } ?? 0
  }

  /// The cursor to read the next page by; nil from the beginning.
  var after: Int64? { next == 0 ? nil : next - 1 }

  /// Takes an entry of a page that was read by ``after``, just before it is sent; false if it is not the next one.
  /// Entries up to `published` have been published by now: with the last of them the consumer is live.
  mutating func read(_ index: Int64, published: Int64) -> Bool {
    guard phase == .catchingUp, index == next else { return false }
    next += 1
    goLiveIfComplete(published: published)
    return true
  }

  /// Follows what is published, if nothing that was published is missing.
  mutating func goLiveIfComplete(published: Int64) {
    if next > published { phase = .live }
  }

  /// Decides about an entry that is published.
  mutating func published(_ index: Int64) -> Decision {
    guard phase == .live, index >= next else { return .ignore }
    guard index == next else {
      phase = .catchingUp
      return .readOn
    }
    next += 1
    return .send
  }
}
