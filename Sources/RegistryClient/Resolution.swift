public import KeyRecords

/// How recent what is known of a user is.
public enum Freshness: String, Sendable, Hashable {
  /// A registrar has confirmed it just now, or lately enough.
  case fresh
  /// Older, but good enough to go on with while no registrar can be asked.
  case stale
}

/// A user whose keys are known.
public struct ResolvedUser: Sendable {
  /// The history and what it comes to.
  public let judged: JudgedHistory
  /// How recent it is.
  public let freshness: Freshness
  /// When a registrar last confirmed it, by the client's clock; nil for a peer's history.
  public let checked: Milliseconds?
  /// Which registrar it is from; nil for a peer's history.
  public let registrar: String?
  /// The pin as it is now; nil while there is none: the user is contested, or a peer's history is all there is.
  public let pin: Pin?
  /// Which other registrars have another history.
  public internal(set) var disagreements: [Conflict]
  /// What a registrar that the user's own record names shows beyond this history; nil where it shows nothing more, or
  /// was not asked. Verdicts do not rest on it.
  public internal(set) var hintedUpdate: HintedUpdate?

  /// The keys, the status and what became of each entry.
  public var state: UserState { judged.state }
  /// Whether the id proves its own first record.
  public var isBound: Bool { judged.isBound }
  /// Whether a registrar stands for the history; verdicts that rest on another are unconfirmed.
  public var isConfirmed: Bool { judged.isConfirmed }

  /// What contradicts a pin that is kept elsewhere: in a keystore, or at another device; nil if nothing does.
  public func contradiction(to pin: Pin) -> String? {
    do throws(Contradiction) {
      _ = try pin.following(judged, from: registrar ?? pin.registrar)
      return nil
    } catch {
      return error.reason
    }
  }
}

/// Records that follow the history of a user, by the rules, at a registrar that only the user's record names
/// (`sourceUrl`): the registrars that count may be behind, or withhold them. Nobody who counts has confirmed them.
public struct HintedUpdate: Sendable {
  /// The registrar that shows them.
  public let source: String
  /// All of its history, of which the one that counts is the beginning; no delayed record has taken effect in it.
  public let judged: JudgedHistory
}

/// What came of looking a user up.
public enum Resolution: Sendable {
  /// The keys are known.
  case user(ResolvedUser)
  /// Every registrar that counts says that nobody has claimed the id.
  case unknown
  /// What was offered contradicts the rules, a pin or another registrar.
  case conflict(Conflict)
  /// It cannot be looked up now: a sentence for people.
  case unavailable(String)
  /// It cannot be looked up now, and what is known is too old to be used: when a registrar last confirmed it, by the
  /// client's clock.
  case expired(Milliseconds)

  /// The user, if the keys are known.
  public var user: ResolvedUser? {
    if case .user(let user) = self { user } else { nil }
  }

  /// The conflict, if it is one.
  public var conflict: Conflict? {
    if case .conflict(let conflict) = self { conflict } else { nil }
  }
}

/// When registrars are asked.
public enum LookUp: Sendable, Hashable {
  /// Never: what is known decides, if it is not too old.
  case known
  /// Where what is known is no longer fresh.
  case whenNotFresh
  /// Always.
  case always
}

/// Finds the keys of signers. A ``Resolver`` does; an app may bring its own.
public protocol SignerResolving: Sendable {
  /// Looks users up, all in one go; every user asked for is in the answer. Throws only when the task is cancelled.
  func resolve(_ users: Set<UserID>, _ lookUp: LookUp) async throws(CancellationError) -> [UserID: Resolution]
  /// Users of whom something new has become known, from now on; each call gets a sequence of its own.
  func changes() async -> AsyncStream<Set<UserID>>
}

/// What an app should be told about trust.
public enum TrustNotice: Sendable {
  /// A pin made by hand counts as one of first use again.
  case demoted(UserID, Pin.Demotion)
  /// Something contradicts the rules or a pin.
  case conflict(UserID, Conflict)
  /// Registrars differ; the first in the trust order was followed.
  case disagreement(UserID, Conflict)
  /// A registrar that the user's record names has more than those that count.
  case hintedUpdate(UserID, HintedUpdate)
  /// The store does not do its duty: what is new is not kept.
  case storeFailed(StoreFailure)
}
