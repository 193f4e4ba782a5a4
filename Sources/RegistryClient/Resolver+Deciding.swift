import KeyRecords

// What is made of the registrars' answers about a user (docs/spec/protocol.md §9).
extension Resolver {
  struct Decided {
    var resolution: Resolution
    var change: PinChange?
    var isDoubtful = false
    var notices: [TrustNotice] = []
  }

  func decide(_ user: UserID, _ answers: [SourceAnswer], pin: Pin?) -> Decided {
    let decision = TrustOrder.decide(answers.map(opinion))
    switch decision.outcome {
    case .history(let place):
      guard case .history(let known) = answers[place] else { return Decided(resolution: .unknown) }
      let disagreements = decision.disagreeing.map { disagreement(answers, between: $0, and: place) }
      return follow(known, from: place, answers, pin: pin, disagreements)
    case .unknown:
      if let pin { return contradicted(pin, "a user that was known before is known to no registrar now", answers) }
      if let peer = peer(user, pin: nil), peer.isBound {
        return Decided(resolution: .user(unconfirmed(peer, pin: nil)))
      }
      return Decided(resolution: .unknown)
    case .conflict(let places): return conflict(places, answers, user)
    case .unavailable(let place):
      if let peer = peer(user, pin: pin) { return Decided(resolution: .user(unconfirmed(peer, pin: pin))) }
      return Decided(resolution: unanswered(answers[place]))
    }
  }

  private func opinion(_ answer: SourceAnswer) -> RegistrarOpinion {
    switch answer {
    case .history(let known):
      guard freshness(known) != nil else { return .unavailable }
      return .history(
        firstClaim: known.judged.state.firstClaim.hash, head: known.judged.state.head.hash,
        isBound: known.judged.isBound)
    case .unknown: return .unknown
    case .conflict: return .conflict
    case .unavailable: return .unavailable
    }
  }

  /// Nil for what is too old to be used.
  func freshness(_ known: KnownHistory) -> Freshness? {
    let age = clock.now() - known.checked
    if (0..<settings.freshFor).contains(age) { return .fresh }
    return age < settings.usableFor ? .stale : nil
  }

  /// While all answers are fresh; nil if one is no history, or already stale.
  func freshTimes(_ answers: [SourceAnswer]) -> Range<Milliseconds>? {
    var (start, end) = (Milliseconds.min, Milliseconds.max)
    for answer in answers {
      guard case .history(let known) = answer else { return nil }
      start = max(start, known.checked)
      end = min(end, known.checked + settings.freshFor)
    }
    return start < end ? start..<end : nil
  }

  private func unanswered(_ answer: SourceAnswer) -> Resolution {
    switch answer {
    case .history(let known): .expired(known.checked)
    case .unavailable(let reason): .unavailable(reason)
    case .unknown, .conflict: .unavailable("no registrar can be asked")
    }
  }

  private func follow(
    _ known: KnownHistory, from place: Int, _ answers: [SourceAnswer], pin: Pin?, _ disagreements: [Conflict]
  ) -> Decided {
    let user = known.judged.subject
    var next = pin
    var notices = disagreements.map { TrustNotice.disagreement(user, $0) }
    if let pin {
      do throws(Contradiction) {
        let (followed, demotion) = try pin.following(known.judged, from: registrars[place].name)
        next = followed
        if let demotion { notices.append(.demoted(user, demotion)) }
      } catch {
        return contradicted(pin, error.reason, answers, kind: error.kind)
      }
    } else if known.judged.state.status != .contested {
      next = Pin(known.judged, from: registrars[place].name, trust: .unverified)
    }
    let resolved = ResolvedUser(
      judged: known.judged, freshness: freshness(known) ?? .stale, checked: known.checked,
      registrar: registrars[place].name, pin: next, disagreements: disagreements)
    return Decided(
      resolution: .user(resolved), change: next == pin ? nil : PinChange(of: user, from: pin, to: next),
      notices: notices)
  }

  private func contradicted(
    _ pin: Pin, _ reason: String, _ answers: [SourceAnswer], kind: Conflict.Kind = .rollback
  ) -> Decided {
    let pinned = Evidence(source: "pin: first \(pin.first), head \(pin.head), from \(pin.registrar)", entries: [])
    let conflict = Conflict(kind, reason, evidence: [pinned] + answers.indices.flatMap { evidence(answers, $0) })
    return Decided(resolution: .conflict(conflict), isDoubtful: true, notices: [.conflict(pin.user, conflict)])
  }

  private func conflict(_ places: [Int], _ answers: [SourceAnswer], _ user: UserID) -> Decided {
    if let place = places.first, places.count == 1, case .conflict(let conflict) = answers[place] {
      return Decided(resolution: .conflict(conflict), notices: [.conflict(user, conflict)])
    }
    let conflict = Conflict(
      .boundClaims, "registrars offer different first claims that both prove the id",
      evidence: places.flatMap { evidence(answers, $0) })
    return Decided(resolution: .conflict(conflict), notices: [.conflict(user, conflict)])
  }

  private func disagreement(_ answers: [SourceAnswer], between other: Int, and winner: Int) -> Conflict {
    Conflict(
      .disagreement, "\(registrars[other].name) has another history of the user than \(registrars[winner].name)",
      evidence: evidence(answers, winner) + evidence(answers, other))
  }

  private func evidence(_ answers: [SourceAnswer], _ place: Int) -> [Evidence] {
    switch answers[place] {
    case .history(let known): [Evidence(source: registrars[place].name, entries: known.judged.evidence)]
    case .conflict(let conflict): conflict.evidence
    case .unknown, .unavailable: []
    }
  }
}
