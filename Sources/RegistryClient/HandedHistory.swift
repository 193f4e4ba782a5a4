public import KeyRecords
public import PeerstackFormat

/// What is known of an app's policies where a history is judged that no registrar gave.
public struct KnownPolicies: Sendable {
  /// The chain as a registrar gave it earlier.
  public var chain: AppHistory?
  /// The hash of the first policy, as the app was given it.
  public var first: RecordHash?
  /// Whether the policies that came with a history may be used where neither is known: only where a person confirms
  /// what comes of it.
  public var takesSenders: Bool

  /// What is known; by default nothing.
  public init(chain: AppHistory? = nil, first: RecordHash? = nil, takesSenders: Bool = false) {
    self.chain = chain
    self.first = first
    self.takesSenders = takesSenders
  }
}

/// A history that a person handed over, judged (docs/spec/protocol.md §9, "Time"): nobody says that nothing is missing.
public struct HandedHistory: Sendable {
  /// The history and what it comes to; never confirmed.
  public let judged: JudgedHistory
  /// Whether a registrar, or whoever built the app, stands for the policies that it was judged under. If not, they are
  /// the sender's.
  public let arePoliciesKnown: Bool
  /// Entries that were left out: they come after a delayed record, of which only a registrar can say what became.
  public let leftOut: Int
}

extension PeerHistory {
  /// A history of entries that came in another form; nil if they name no user.
  public init?(entries: [JSONValue], policies: [JSONValue]?) {
    let subject = entries.first?.object?["record"]?.object?["subject"]?.string
    guard let user = subject.flatMap({ UserID($0) }) else { return nil }
    self.init(user: user, entries: entries, policies: policies)
  }

  /// Judges the history without asking anybody. Nil if no policies are at hand to judge it under.
  ///
  /// - Throws: what contradicts the rules, the clock, or the policies that are known.
  public func judged(
    app: AppID, under known: KnownPolicies, clock: Milliseconds
  ) throws(Conflict) -> HandedHistory? {
    do throws(Contradiction) {
      var arePoliciesKnown = true
      var chain = try chain(known: known.chain, app: app, firstPolicy: known.first)
      if chain == nil, known.takesSenders, let policies {
        arePoliciesKnown = false
        chain = try HistoryRules.chain(policies, app: app)
      }
      guard let chain else { return nil }
      guard let judged = try judge(app: app, under: chain, clock: clock) else { return nil }
      return HandedHistory(
        judged: judged, arePoliciesKnown: arePoliciesKnown, leftOut: entries.count - judged.history.entries.count)
    } catch {
      let texts = entries.map { CanonicalJSON.bytes(of: $0) }
      throw Conflict(error.kind, error.reason, evidence: [Evidence(source: "peer", entries: texts)])
    }
  }
}

extension Pin {
  /// The ``registrar`` of a pin that no registrar had a part in: a person took it from a contact card.
  public static let handSource = "by hand"

  /// A pin that a person makes of a history that was handed over.
  public init(byHand judged: JudgedHistory, trust: Trust) {
    self.init(judged, from: Self.handSource, trust: trust)
  }

  /// The pin after a person has compared a history that has what is pinned. The registrar and what it has said
  /// stay: later it is held against both.
  public func confirmed(byHand judged: JudgedHistory) -> Pin {
    var pin = self
    pin.first = judged.state.firstClaim.hash
    pin.sequence = judged.state.head.sequence
    pin.head = judged.state.head.hash
    pin.incarnation = judged.state.head.incarnation
    pin.trust = .verified
    return pin
  }
}
