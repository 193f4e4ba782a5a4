public import KeyRecords
import PeerstackFormat

/// Finds the keys of users at registrars, judges what they say, and remembers it (docs/spec/protocol.md §9).
///
/// A registrar's answer is input, never truth: every history is judged from its first record, held against what was
/// known before, and decided upon in the order in which the app trusts its registrars.
public actor Resolver: SignerResolving {
  /// How often a pin is read again when somebody else changes it at the same time.
  private static let pinAttempts = 5
  private static let maxReported = 10_000
  private static let noticesBuffered = 256

  /// The app whose users are looked up.
  public nonisolated let app: AppID
  /// What the app should be told; for one reader. The oldest are dropped when nobody reads.
  public nonisolated let notices: AsyncStream<TrustNotice>

  private let settled: SettledUsers
  let registrars: [Registrar]
  private let sources: [RegistrarSource]
  private let store: any RegistryStore
  let clock: any ClientClock
  let settings: ResolverSettings
  let noticeSink: AsyncStream<TrustNotice>.Continuation
  /// Nil if hints are not followed.
  let hints: SourceHints?

  /// Histories from peers, none of them confirmed.
  private var peers: HistoryCache
  private var listeners: [Int: AsyncStream<Set<UserID>>.Continuation] = [:]
  private var nextListener = 0
  /// The last entry of each user that listeners were told of.
  private var announced: [UserID: RecordHash] = [:]
  /// What was reported of a user last.
  private var reported: [UserID: String] = [:]

  /// A resolver.
  ///
  /// - Parameters:
  ///   - app: The app whose users are looked up.
  ///   - registrars: The most trusted first.
  ///   - store: Where histories and pins are kept. Pins that are lost are lost trust: use one that lasts.
  ///   - settings: How it goes about it.
  ///   - clock: Tests have one of their own.
  ///   - random: Numbers from 0 up to 1, by which clients that failed together part.
  public init(
    app: AppID, registrars: [Registrar], store: any RegistryStore, settings: ResolverSettings = ResolverSettings(),
    clock: any ClientClock = SystemClock(), random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.app = app
    self.registrars = registrars
    self.store = store
    self.clock = clock
    self.settings = settings
    let (notices, sink) = AsyncStream.makeStream(
      of: TrustNotice.self, bufferingPolicy: .bufferingNewest(Self.noticesBuffered))
    self.notices = notices
    noticeSink = sink
    peers = HistoryCache(maxCount: settings.maxHistories, maxBytes: settings.maxHistoryBytes)
    let settled = SettledUsers(maxCount: settings.maxHistories, maxBytes: settings.maxHistoryBytes)
    self.settled = settled
    store.pinObservers.add { [weak settled] in settled?.forget($0) }
    hints = settings.hints.map {
      SourceHints($0, configured: registrars.map(\.name), app: app, settings: settings, clock: clock)
    }
    sources = registrars.map { registrar in
      RegistrarSource(
        registrar, app: app, settings: settings, clock: clock, store: store, random: random,
        notify: { sink.yield($0) })
    }
  }

  // MARK: Looking up

  /// Looks users up, all in one go; every user asked for is in the answer.
  ///
  /// Calls that come within a few milliseconds share requests, and no user is asked for twice at a time. What is fresh is
  /// answered at once, pins included; what another process has made of a pin meanwhile shows when that is over. Throws
  /// only when the task is cancelled; a request that nobody waits for any more is then given up.
  public nonisolated func resolve(
    _ users: Set<UserID>, _ lookUp: LookUp = .whenNotFresh
  ) async throws(CancellationError) -> [UserID: Resolution] {
    guard lookUp != .always else { return try await decide(users, lookUp) }
    let (known, left) = settled.divide(users, at: clock.now())
    guard !left.isEmpty else { return known }
    let decided = try await decide(left, lookUp)
    return known.isEmpty ? decided : known.merging(decided) { _, new in new }
  }

  /// Looks one user up.
  public nonisolated func resolve(
    _ user: UserID, _ lookUp: LookUp = .whenNotFresh
  ) async throws(CancellationError) -> Resolution {
    if lookUp != .always, let known = fresh(user) { return .user(known) }
    return try await decide([user], lookUp)[user] ?? .unavailable("the user was left out")
  }

  /// What is known of a user and fresh, for callers that cannot wait; nil says only that ``resolve(_:_:)-(UserID,_)`` has
  /// to be asked.
  public nonisolated func fresh(_ user: UserID) -> ResolvedUser? { settled.user(user, at: clock.now()) }

  private func decide(
    _ users: Set<UserID>, _ lookUp: LookUp
  ) async throws(CancellationError) -> [UserID: Resolution] {
    let changes = self.settled.changes
    var settlement = await settle(users, try await ask(users, lookUp), isFinal: false)
    if !settlement.doubtful.isEmpty {
      // Somebody else who shares the store may have seen more than this resolver, also while an answer was on its way:
      // ask before accusing the registrar.
      let answers = try await ask(settlement.doubtful, .always)
      let final = await settle(settlement.doubtful, answers, isFinal: true)
      settlement.resolutions.merge(final.resolutions) { _, new in new }
      settlement.times.merge(final.times) { _, new in new }
    }
    await askHints(settlement.resolutions, lookUp)
    let resolutions = await weighHints(settlement.resolutions)
    guard !Task.isCancelled else { throw CancellationError() }
    announce(resolutions)
    var settled: [UserID: SettledUsers.Settled?] = [:]
    for (user, resolution) in resolutions {
      settled.updateValue(settlement.times[user].flatMap { lasting(resolution, $0) }, forKey: user)
    }
    self.settled.settle(settled, since: changes)
    return resolutions
  }

  /// A resolution that would be the same in all of `times`; nil for any other.
  private func lasting(_ resolution: Resolution, _ times: Range<Milliseconds>) -> SettledUsers.Settled? {
    // What a hint shows comes whenever it does.
    guard let user = resolution.user, user.freshness == .fresh, hints == nil || user.state.head.sourceURL == nil else {
      return nil
    }
    return SettledUsers.Settled(user: user, times: times)
  }

  private func ask(
    _ users: Set<UserID>, _ lookUp: LookUp
  ) async throws(CancellationError) -> [[UserID: SourceAnswer]] {
    let sources = sources
    do {
      return try await withThrowingTaskGroup(of: (Int, [UserID: SourceAnswer]).self) { group in
        for (place, source) in sources.enumerated() {
          group.addTask { (place, try await source.answers(for: users, lookUp)) }
        }
        var answers = Array(repeating: [UserID: SourceAnswer](), count: sources.count)
        for try await (place, answer) in group { answers[place] = answer }
        return answers
      }
    } catch {
      throw CancellationError()
    }
  }

  // MARK: Deciding

  private struct Settlement {
    var resolutions: [UserID: Resolution] = [:]
    /// Those whose pin contradicts what was only remembered.
    var doubtful: Set<UserID> = []
    /// While every registrar's answer is fresh, where it is.
    var times: [UserID: Range<Milliseconds>] = [:]
  }

  /// Decides on answers and moves pins.
  private func settle(
    _ users: Set<UserID>, _ answers: [[UserID: SourceAnswer]], isFinal: Bool
  ) async -> Settlement {
    var settlement = Settlement()
    var left = users
    do throws(StoreFailure) {
      for _ in 0..<Self.pinAttempts where !left.isEmpty {
        let pins = try await store.pins(of: left)
        var changes: [PinChange] = []
        for user in left {
          let said = answers.map { $0[user] ?? .unavailable("the user was left out") }
          let decided = decide(user, said, pin: pins[user])
          settlement.resolutions[user] = decided.resolution
          settlement.times[user] = freshTimes(said)
          if decided.isDoubtful { settlement.doubtful.insert(user) }
          if let change = decided.change { changes.append(change) }
          if isFinal || !decided.isDoubtful { decided.notices.forEach { report($0, of: user) } }
        }
        left = changes.isEmpty ? [] : try await store.replacePins(changes)
      }
      for user in left { settlement.resolutions[user] = .unavailable("the pin keeps changing") }
    } catch {
      // Without pins nothing can be held against what was known: no verdict is better than a wrong one.
      noticeSink.yield(.storeFailed(error))
      for user in users { settlement.resolutions[user] = .unavailable("the pins cannot be read: \(error)") }
    }
    return settlement
  }

  // MARK: Telling

  /// Tells the app once, not with every look-up.
  private func report(_ notice: TrustNotice, of user: UserID) {
    let text: String
    switch notice {
    case .demoted, .storeFailed, .hintedUpdate: text = ""
    case .conflict(_, let conflict), .disagreement(_, let conflict): text = conflict.reason
    }
    if !text.isEmpty {
      guard reported[user] != text else { return }
      if reported.count >= Self.maxReported { reported = [:] }
      reported[user] = text
    }
    noticeSink.yield(notice)
  }

  /// Users of whom something new has become known, from now on.
  public func changes() -> AsyncStream<Set<UserID>> {
    nextListener += 1
    let id = nextListener
    let (stream, continuation) = AsyncStream.makeStream(of: Set<UserID>.self, bufferingPolicy: .unbounded)
    listeners[id] = continuation
    continuation.onTermination = { _ in Task { await self.removeListener(id) } }
    return stream
  }

  private func removeListener(_ id: Int) { listeners[id] = nil }

  private func announce(_ resolutions: [UserID: Resolution]) {
    var changed: Set<UserID> = []
    if announced.count > settings.maxHistories { announced = [:] }
    for (user, resolution) in resolutions {
      let judged = resolution.user.map { $0.hintedUpdate?.judged ?? $0.judged }
      guard let last = judged?.history.entries.last?.content.hash, announced[user] != last else { continue }
      announced[user] = last
      changed.insert(user)
    }
    guard !changed.isEmpty else { return }
    for listener in listeners.values { listener.yield(changed) }
  }

  // MARK: Peers

  /// Judges a history that somebody passed on and keeps it in memory, to be used while no registrar can be asked.
  ///
  /// - Parameters:
  ///   - offered: The history as it came.
  ///   - registrar: Whose indexes and policies it has; the most trusted unless given.
  public func consider(_ offered: PeerHistory, of registrar: String? = nil) async -> Resolution {
    guard let place = registrar.map({ name in registrars.firstIndex { $0.name == name } }) ?? registrars.indices.first
    else { return .unavailable("no such registrar is configured") }
    do throws(Contradiction) {
      let known = await sources[place].chain()
      guard let chain = try offered.chain(known: known, app: app, firstPolicy: registrars[place].firstPolicy) else {
        return .unavailable("the app's policies are not known, and without them nothing can be judged")
      }
      guard let judged = try offered.judge(app: app, under: chain, clock: clock.now()) else { return .unknown }
      return try await keep(judged)
    } catch {
      let evidence = Evidence(source: "peer", entries: offered.entries.map(\.text))
      return .conflict(Conflict(error.kind, error.reason, evidence: [evidence]))
    }
  }

  /// Keeps a history that was judged as it was handed over, of somebody whom a person has pinned: it is used while no
  /// registrar can be asked, and what rests on it is unconfirmed.
  public func consider(_ handed: HandedHistory) async -> Resolution {
    do throws(Contradiction) {
      return try await keep(handed.judged, isPinRequired: true)
    } catch {
      let evidence = Evidence(source: "peer", entries: handed.judged.evidence)
      return .conflict(Conflict(error.kind, error.reason, evidence: [evidence]))
    }
  }

  private func keep(
    _ judged: JudgedHistory, isPinRequired: Bool = false
  ) async throws(Contradiction) -> Resolution {
    let pin: Pin?
    do throws(StoreFailure) {
      pin = try await store.pins(of: [judged.subject])[judged.subject]
    } catch {
      return .unavailable("the pins cannot be read: \(error)")
    }
    if let pin {
      try Self.check(judged, against: pin)
    } else if isPinRequired {
      return .unavailable("nobody has pinned \(judged.subject)")
    }
    peers.set(KnownHistory(judged: judged, checked: clock.now()), of: judged.subject)
    let resolved = Resolution.user(unconfirmed(judged, pin: pin))
    announce([judged.subject: resolved])
    return resolved
  }

  /// It must have the pinned records; it moves no pin.
  private static func check(_ judged: JudgedHistory, against pin: Pin) throws(Contradiction) {
    guard judged.status(of: pin.first) != nil, judged.status(of: pin.head) != nil else {
      throw Contradiction(.rollback, "it lacks records that were there before: a rollback or a fork")
    }
  }

  func peer(_ user: UserID, pin: Pin?) -> JudgedHistory? {
    guard let known = peers.known(user), freshness(known) != nil else { return nil }
    if let pin, (try? Self.check(known.judged, against: pin)) == nil { return nil }
    return known.judged
  }

  func unconfirmed(_ judged: JudgedHistory, pin: Pin?) -> ResolvedUser {
    ResolvedUser(judged: judged, freshness: .stale, checked: nil, registrar: nil, pin: pin, disagreements: [])
  }

  // MARK: Pins by hand

  /// The pin of a user; nil if there is none.
  public func pin(of user: UserID) async throws(StoreFailure) -> Pin? {
    try await store.pins(of: [user])[user]
  }

  /// A person has compared the head of a user's history: the pin counts as verified. False, and nothing changes, if the
  /// pinned head is another.
  public func verifyPin(of user: UserID, head: RecordHash) async throws(StoreFailure) -> Bool {
    for _ in 0..<Self.pinAttempts {
      guard let pin = try await pin(of: user), pin.head == head else { return false }
      var verified = pin
      verified.trust = .verified
      if try await store.replacePins([PinChange(of: user, from: pin, to: verified)]).isEmpty { return true }
    }
    return false
  }

  /// Forgets a user and the pin, so that the next look-up is a first use again: the way out of a conflict that a person
  /// has looked into, and only that.
  public func forget(_ user: UserID) async throws(StoreFailure) {
    for source in sources { try await source.forget(user) }
    await hints?.forget(user)
    settled.forget([user])
    peers.remove(user)
    reported[user] = nil
    announced[user] = nil
    var left: Set<UserID> = [user]
    while !left.isEmpty {
      left = try await store.replacePins([PinChange(of: user, from: try await pin(of: user), to: nil)])
    }
  }

  /// The policy chain of a registrar as far as it is known.
  public func policies(of registrar: String) async -> AppHistory? {
    guard let place = registrars.firstIndex(where: { $0.name == registrar }) else { return nil }
    return await sources[place].chain()
  }
}
