public import KeyRecords

/// How far a registrar had come when it answered.
public struct AsOf: Sendable, Hashable {
  /// Its latest index.
  public let index: Int64
  /// Its clock.
  public let time: Milliseconds

  /// A place and a time.
  public init(index: Int64, time: Milliseconds) {
    self.index = index
    self.time = time
  }
}

/// A user's history that was judged from its first record, folded at a time.
public struct JudgedHistory: Sendable {
  /// The entries.
  public let history: KeyHistory
  /// Up to when it is known; of a peer's history, the acceptance of its last entry.
  public let asOf: AsOf
  /// What the entries come to at that time.
  public let state: UserState
  /// Whether the id proves its own first record. Where it does not, the first key is only the registrar's word.
  public let isBound: Bool
  /// Whether a registrar stands for it. A peer's history proves who signed, not when, nor that nothing is missing.
  public let isConfirmed: Bool

  /// Folds a history; nil if there is nothing in it.
  init?(_ history: KeyHistory, asOf: AsOf, isConfirmed: Bool, reusing known: JudgedHistory? = nil) {
    guard let state = history.state(at: asOf.time) else { return nil }
    self.history = history
    self.asOf = asOf
    self.state = state
    self.isConfirmed = isConfirmed
    if let known, known.state.firstClaim.hash == state.firstClaim.hash {
      isBound = known.isBound
    } else {
      isBound = BoundID.isBound(state.firstClaim)
    }
  }

  /// The user.
  public var subject: UserID { history.subject }

  /// Bytes of all records.
  var byteCount: Int { history.entries.reduce(0) { $0 + $1.content.canonical.count } }

  /// What became of the record of a hash; nil if there is none.
  func status(of hash: RecordHash) -> UserState.RecordStatus? { state.records.first { $0.record == hash } }

  var evidence: [[UInt8]] { history.entries.map(\.text) }
}
