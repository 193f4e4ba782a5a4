import KeyRecords

// Registrars that records name (`sourceUrl`): asked in addition, never instead (docs/spec/protocol.md §3, §11).
extension Resolver {
  /// Asks what is due: in a task of its own, so that nobody's look-up waits for a stranger's registrar, or at once if the
  /// settings say so.
  func askHints(_ resolutions: [UserID: Resolution], _ lookUp: LookUp) async {
    guard let hints, lookUp != .known else { return }
    let isForced = settings.areHintsAwaited && lookUp == .always
    let batches = await hints.take(Self.sourceURLs(resolutions), isForced: isForced)
    guard !batches.isEmpty else { return }
    guard !settings.areHintsAwaited else {
      _ = await hints.ask(batches)
      return
    }
    Task {
      let users = await hints.ask(batches)
      // Whoever listens is told by this look-up.
      if !users.isEmpty { _ = try? await resolve(users, .known) }
    }
  }

  private static func sourceURLs(_ resolutions: [UserID: Resolution]) -> [UserID: String] {
    resolutions.compactMapValues { resolution in
      guard let user = resolution.user, user.isConfirmed else { return nil }
      return user.state.head.sourceURL
    }
  }

  /// The resolutions with what hints showed beside them.
  func weighHints(_ resolutions: [UserID: Resolution]) async -> [UserID: Resolution] {
    guard let hints else { return resolutions }
    let urls = Self.sourceURLs(resolutions)
    guard !urls.isEmpty else { return resolutions }
    var weighed = resolutions
    for (user, shown) in await hints.shown(of: urls) {
      guard let known = resolutions[user]?.user else { continue }
      let (resolution, notice, text) = Self.weigh(known, shown)
      guard let notice else { continue }
      weighed[user] = resolution
      if await hints.isNews(text, of: user) { noticeSink.yield(notice) }
    }
    return weighed
  }

  private static func weigh(
    _ known: ResolvedUser, _ shown: SourceHints.Shown
  ) -> (resolution: Resolution, notice: TrustNotice?, text: String) {
    var user = known
    let id = known.judged.subject
    let evidence = [
      Evidence(source: known.registrar ?? "peer", entries: known.judged.evidence),
      Evidence(source: shown.registrar, entries: shown.judged.evidence),
    ]
    switch TrustOrder.weigh(hint: shown.judged.effective, against: known.judged.effective) {
    case .nothingNew: return (.user(known), nil, "")
    case .update:
      let update = HintedUpdate(source: shown.registrar, judged: shown.judged)
      user.hintedUpdate = update
      return (.user(user), .hintedUpdate(id, update), "update \(shown.judged.state.head.hash)")
    case .disagreement:
      let conflict = Conflict(
        .disagreement, "\(shown.registrar), which the user's record names, has other records of the user",
        evidence: evidence)
      user.disagreements.append(conflict)
      return (.user(user), .disagreement(id, conflict), "other \(shown.judged.state.head.hash)")
    case .conflict:
      let conflict = Conflict(
        .boundClaims, "\(shown.registrar), which the user's record names, has another first claim, which proves the id",
        evidence: evidence)
      return (.conflict(conflict), .conflict(id, conflict), "claim \(shown.judged.state.firstClaim.hash)")
    }
  }
}

extension JudgedHistory {
  /// The records that have taken effect.
  var effective: EffectiveRecords {
    EffectiveRecords(
      hashes: (0...state.head.sequence).compactMap { state.record(at: $0)?.hash }, isBound: isBound)
  }
}
