public import KeyRecords

/// What a client remembers of a user, so that nobody can take it back (docs/spec/protocol.md §9).
public struct Pin: Sendable, Hashable {
  /// How it came about.
  public enum Trust: String, Sendable, Hashable {
    /// On first use.
    case unverified
    /// By hand: a person has compared it.
    case verified
  }

  /// Why a pin made by hand counts as one of first use again.
  public enum Demotion: String, Sendable, Hashable {
    /// Pinned records are there, but came to nothing: another claim won.
    case refused
    /// A record raised `incarnation`.
    case continuity
  }

  /// The user.
  public let user: UserID
  /// The registrar it came from.
  public var registrar: String
  /// The first record.
  public var first: RecordHash
  /// The sequence of the head.
  public var sequence: Int64
  /// The head.
  public var head: RecordHash
  /// The head's.
  public var incarnation: Int64
  /// The highest index of all entries of the user, by the registrar's count.
  public var lastIndex: Int64
  /// Up to when it is known.
  public var asOf: AsOf
  /// How it came about.
  public var trust: Trust

  /// A pin as it was stored.
  public init(
    user: UserID, registrar: String, first: RecordHash, sequence: Int64, head: RecordHash, incarnation: Int64,
    lastIndex: Int64, asOf: AsOf, trust: Trust
  ) {
    self.user = user
    self.registrar = registrar
    self.first = first
    self.sequence = sequence
    self.head = head
    self.incarnation = incarnation
    self.lastIndex = lastIndex
    self.asOf = asOf
    self.trust = trust
  }

  /// A pin of what a registrar shows now.
  init(_ judged: JudgedHistory, from registrar: String, trust: Trust) {
    self.init(
      user: judged.subject, registrar: registrar, first: judged.state.firstClaim.hash,
      sequence: judged.state.head.sequence, head: judged.state.head.hash, incarnation: judged.state.head.incarnation,
      lastIndex: judged.history.entries.last?.index ?? 0, asOf: judged.asOf, trust: trust)
  }

  /// Holds what a registrar shows against this pin: the pin as it is from now on, and whether it lost a person's trust.
  func following(
    _ judged: JudgedHistory, from registrar: String
  ) throws(Contradiction) -> (pin: Pin, demotion: Demotion?) {
    let statuses = try [first, head].map { hash throws(Contradiction) in
      guard let status = judged.status(of: hash)?.status else {
        throw Contradiction(.rollback, "a record that was there before is missing: a rollback or a fork")
      }
      return status
    }
    if registrar == self.registrar { try checkNewEntries(judged) }
    guard judged.state.status != .contested else { return (self, nil) }
    var demotion: Demotion?
    if statuses.contains("refused") {
      demotion = .refused
    } else if judged.state.head.incarnation > incarnation {
      demotion = .continuity
    }
    var next = Pin(judged, from: registrar, trust: demotion == nil ? trust : .unverified)
    if registrar == self.registrar, next.asOf.time < asOf.time { next.asOf = asOf }
    return (next, trust == .verified ? demotion : nil)
  }

  /// What is new cannot have been accepted long before the time up to which everything was known.
  private func checkNewEntries(_ judged: JudgedHistory) throws(Contradiction) {
    for entry in judged.history.entries
    where entry.index > lastIndex && entry.accepted < asOf.time - Limits.clockSkew {
      throw Contradiction(.time, "entry \(entry.index) is new, and says it was accepted before the last look")
    }
  }
}
