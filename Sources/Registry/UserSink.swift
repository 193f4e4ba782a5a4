public import KeyRecords

/// Takes users for one answer, in any order, each once.
public protocol UserSink: Sendable {
  /// How many bytes the records take that were taken so far.
  var recordBytes: Int { get }

  /// A user with its first claim alone: most users.
  ///
  /// - Parameter record: The claim, canonical as it was signed.
  mutating func take(_ id: UserID, claim: ClaimEntry, record: Span<UInt8>)
  /// A user with any entries.
  mutating func take(_ user: UserSnapshot)
  /// An id that nobody has claimed.
  mutating func takeUnknown(_ id: UserID)
  /// A user that was not looked at, because the entries of the others take enough bytes already.
  mutating func takeUnread(_ id: UserID)
}

/// What is stored of a first claim beside its record.
public struct ClaimEntry: Sendable {
  /// The place in the app's history.
  public let index: Int64
  /// When it was accepted.
  public let accepted: Milliseconds
  /// When it takes effect.
  public let effective: Milliseconds
  /// The rank as it is stored: none, for a claim.
  public let rank: Int64?
  /// The record hash.
  public let hash: RecordHash
}
