public import KeyRecords

/// What one registrar says of a user.
public enum RegistrarOpinion: Sendable, Hashable {
  /// It has a history that the rules allow.
  case history(firstClaim: RecordHash, head: RecordHash, isBound: Bool)
  /// It does not know the user.
  case unknown
  /// What it offers contradicts the rules or what it said before.
  case conflict
  /// It cannot be asked now, and nothing usable is known of what it said before.
  case unavailable
}

/// The records of a history that have taken effect, as far as they decide whether two histories agree.
public struct EffectiveRecords: Sendable, Hashable {
  /// Their hashes, the first claim first.
  public let hashes: [RecordHash]
  /// Whether the id proves the first claim.
  public let isBound: Bool

  /// The records of a history.
  public init(hashes: [RecordHash], isBound: Bool) {
    self.hashes = hashes
    self.isBound = isBound
  }
}

/// Decides between several registrars, in the order in which an app trusts them (docs/spec/protocol.md §9, peerstack's
/// `trustOrder`; there are no ties), and weighs what registrars without a place in that order show. Whatever it calls a
/// conflict or a disagreement is reported as a ``Conflict``.
public enum TrustOrder {
  /// What comes of it. Numbers are places in the order, 0 the most trusted.
  public enum Outcome: Sendable, Hashable {
    /// This one's history counts.
    case history(Int)
    /// Nobody knows the user.
    case unknown
    /// These differ in a way that nobody may settle silently.
    case conflict([Int])
    /// One whose word would count cannot be asked.
    case unavailable(Int)
  }

  /// The outcome, and who else has another history than the one that counts, or one in conflict.
  public struct Decision: Sendable, Hashable {
    /// What comes of it.
    public let outcome: Outcome
    /// To be reported; they change nothing.
    public let disagreeing: [Int]
  }

  /// Decides.
  ///
  /// - Two different bound first claims are a conflict: both prove themselves, and one must be a thief's.
  /// - A bound claim beats what is not bound, whoever offers it.
  /// - Else the first that knows the user decides. One that cannot be asked might be that first: then nothing is
  ///   decided.
  /// - What is in conflict on the way there is a conflict, since trusting the next one instead would hide it.
  public static func decide(_ opinions: [RegistrarOpinion]) -> Decision {
    var bound: [(place: Int, claim: RecordHash)] = []
    for (place, opinion) in opinions.enumerated() {
      if case .history(let claim, _, isBound: true) = opinion { bound.append((place, claim)) }
    }
    if Set(bound.map(\.claim)).count > 1 {
      return Decision(outcome: .conflict(bound.map(\.place)), disagreeing: [])
    }
    let outcome = outcome(opinions, bound: bound.first?.place)
    guard case .history(let winner) = outcome else { return Decision(outcome: outcome, disagreeing: []) }
    return Decision(outcome: outcome, disagreeing: opinions.indices.filter { differs(opinions[$0], opinions[winner]) })
  }

  private static func outcome(_ opinions: [RegistrarOpinion], bound: Int?) -> Outcome {
    for (place, opinion) in opinions.enumerated() {
      switch opinion {
      case .unknown: continue
      case .conflict: return .conflict([place])
      case .history where bound == nil || bound == place: return .history(place)
      case .history: continue
      case .unavailable: if bound == nil { return .unavailable(place) }
      }
    }
    return .unknown
  }

  /// What comes of a registrar that only a record names (`sourceUrl`).
  public enum HintOutcome: Sendable, Hashable {
    /// It has no record that the history that counts has not.
    case nothingNew
    /// It has all of the history that counts, and more: an update that nobody who counts has confirmed.
    case update
    /// It has another record where the history that counts has one, or another first claim that proves nothing: to be
    /// reported; it changes nothing.
    case disagreement
    /// It has another first claim, which proves the id: nobody may settle that silently.
    case conflict
  }

  /// Weighs what a hint shows against the history that counts, which comes from ``decide(_:)``: a hint has no place in
  /// the order, and can neither win nor be in the way.
  public static func weigh(hint: EffectiveRecords, against counting: EffectiveRecords) -> HintOutcome {
    guard let claim = hint.hashes.first else { return .nothingNew }
    guard claim == counting.hashes.first else { return hint.isBound ? .conflict : .disagreement }
    if counting.hashes.starts(with: hint.hashes) { return .nothingNew }
    return hint.hashes.starts(with: counting.hashes) ? .update : .disagreement
  }

  private static func differs(_ opinion: RegistrarOpinion, _ winner: RegistrarOpinion) -> Bool {
    switch opinion {
    case .history: opinion != winner
    case .conflict: true
    case .unknown, .unavailable: false
    }
  }
}
