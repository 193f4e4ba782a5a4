public import KeyRecords

/// Takes users for one answer, in any order, each once.
public protocol UserSink: Sendable {
  /// How many bytes the records take that were taken so far.
  var recordBytes: Int { get }

  /// A user with its first claim alone: most users.
  ///
  /// - Parameter record: The canonical JSON of the claim, as it was signed.
  mutating func take(_ id: UserID, claim: StoredFacts, record: Span<UInt8>)
  /// A user with any entries.
  mutating func take(_ user: UserSnapshot)
  /// An id that nobody has claimed.
  mutating func takeUnknown(_ id: UserID)
  /// A user that was not looked at, because the entries of the others take enough bytes already.
  mutating func takeUnread(_ id: UserID)
}
