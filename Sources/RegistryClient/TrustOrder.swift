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

/// Decides between several registrars, in the order in which an app trusts them (docs/spec/protocol.md §9, peerstack's
/// `trustOrder`; there are no ties).
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

  private static func differs(_ opinion: RegistrarOpinion, _ winner: RegistrarOpinion) -> Bool {
    switch opinion {
    case .history: opinion != winner
    case .conflict: true
    case .unknown, .unavailable: false
    }
  }
}
