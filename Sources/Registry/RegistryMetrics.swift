public import KeyRecords

/// Counts since the start, and how things stand.
public struct RegistryMetrics: Sendable {
  /// Sizes of batches, by number of entries accepted.
  public struct BatchSizes: Sendable, Hashable {
    /// The largest size of each bucket; sizes beyond the last are in a bucket of their own.
    public static let bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    /// Batches of each bucket.
    public internal(set) var counts = Array(repeating: 0, count: bounds.count + 1)
    /// Batches in all.
    public internal(set) var batches = 0
    /// Entries in all.
    public internal(set) var entries = 0

    mutating func add(_ size: Int) {
      counts[Self.bounds.firstIndex { size <= $0 } ?? Self.bounds.count] += 1
      batches += 1
      entries += size
    }
  }

  /// Submissions accepted.
  public internal(set) var accepted = 0
  /// Submissions that had been accepted before.
  public internal(set) var repeated = 0
  /// Submissions refused by the rules, by code.
  public internal(set) var refused: [ProblemCode: Int] = [:]
  /// Submissions that could not be answered.
  public internal(set) var unavailable = 0
  /// Committed batches that had entries.
  public internal(set) var batchSizes = BatchSizes()
  /// Batches that were run again, after a lost connection or a conflict.
  public internal(set) var batchRetries = 0
  /// Submissions that wait.
  public internal(set) var queued = 0
  /// Look-ups of users answered from memory.
  public internal(set) var memoryHits = 0
  /// Look-ups of users that needed the database.
  public internal(set) var memoryMisses = 0
  /// Users put out of memory to make room.
  public internal(set) var memoryEvictions = 0
  /// Users in memory, those known to be unknown included.
  public internal(set) var memoryUsers = 0
  /// Bytes they take, by a careful estimate.
  public internal(set) var memoryBytes = 0
  /// How often the clock was behind the last `accepted`, which was used instead.
  public internal(set) var clockHeldBack = 0
  /// Whether the clock is taken to be right (protocol §5.2).
  public internal(set) var isClockRight = true
  /// Whether the database answers.
  public internal(set) var isDatabaseUp = false
}
