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
  /// Behind a reference, since it is handed on far more often than it is made.
  private final class Storage: Sendable {
    let history: KeyHistory
    let asOf: AsOf
    let state: UserState
    let isBound: Bool
    let isConfirmed: Bool
    let byteCount: Int

    init(_ history: KeyHistory, asOf: AsOf, state: UserState, isBound: Bool, isConfirmed: Bool) {
      self.history = history
      self.asOf = asOf
      self.state = state
      self.isBound = isBound
      self.isConfirmed = isConfirmed
      byteCount = history.entries.reduce(0) { $0 + $1.content.canonical.count }
    }
  }

  private let storage: Storage

  /// The entries.
  public var history: KeyHistory { storage.history }
  /// Up to when it is known; of a peer's history, the acceptance of its last entry.
  public var asOf: AsOf { storage.asOf }
  /// What the entries come to at that time.
  public var state: UserState { storage.state }
  /// Whether the id proves its own first record. Where it does not, the first key is only the registrar's word.
  public var isBound: Bool { storage.isBound }
  /// Whether a registrar stands for it. A peer's history proves who signed, not when, nor that nothing is missing.
  public var isConfirmed: Bool { storage.isConfirmed }

  /// Folds a history; nil if there is nothing in it.
  init?(_ history: KeyHistory, asOf: AsOf, isConfirmed: Bool, reusing known: JudgedHistory? = nil) {
    guard let state = history.state(at: asOf.time) else { return nil }
    let isBound: Bool
    if let known, known.state.firstClaim.hash == state.firstClaim.hash {
      isBound = known.isBound
    } else {
      isBound = BoundID.isBound(state.firstClaim)
    }
    storage = Storage(history, asOf: asOf, state: state, isBound: isBound, isConfirmed: isConfirmed)
  }

  /// The user.
  public var subject: UserID { history.subject }

  /// Bytes of all records.
  var byteCount: Int { storage.byteCount }

  /// Whether it is the same judgment, and not one that came to the same.
  func isSame(as other: JudgedHistory?) -> Bool { storage === other?.storage }

  /// What became of the record of a hash; nil if there is none.
  func status(of hash: RecordHash) -> UserState.RecordStatus? { state.records.first { $0.record == hash } }

  var evidence: [[UInt8]] { history.entries.map(\.text) }
}
