import KeyRecords
import PeerstackFormat
import RegistryAPI

/// What one registrar says of users: asked for in batches, each user once at a time, judged, and remembered.
actor RegistrarSource {
  let registrar: Registrar
  private let app: AppID
  private let settings: ResolverSettings
  private let clock: any ClientClock
  private let store: any RegistryStore
  private let exchange: RegistrarExchange
  private let notify: @Sendable (TrustNotice) -> Void

  private var cache: HistoryCache
  private var policies: PolicyBook
  private var isRestored = false
  /// Users that are unknown or in conflict, and until when that is believed.
  private var negatives: [UserID: (answer: SourceAnswer, until: Milliseconds)] = [:]
  private var restsUntil: Milliseconds = .min

  private var flights = Flights<SourceAnswer>()
  private var nextCall = 0
  private var tasks: [Int: Task<Void, Never>] = [:]
  private var isCollecting = false

  init(
    _ registrar: Registrar, app: AppID, settings: ResolverSettings, clock: any ClientClock, store: any RegistryStore,
    random: @escaping @Sendable () -> Double, notify: @escaping @Sendable (TrustNotice) -> Void
  ) {
    self.registrar = registrar
    self.app = app
    self.settings = settings
    self.clock = clock
    self.store = store
    self.notify = notify
    exchange = RegistrarExchange(registrar: registrar, settings: settings, clock: clock, random: random)
    cache = HistoryCache(maxCount: settings.maxHistories, maxBytes: settings.maxHistoryBytes)
    policies = PolicyBook(registrar: registrar, app: app)
  }

  /// The policy chain as far as it is known.
  func chain() async -> AppHistory? {
    await restorePolicies()
    return policies.chain
  }

  /// Forgets what was said of a user.
  func forget(_ user: UserID) async throws(StoreFailure) {
    cache.remove(user)
    negatives[user] = nil
    let nothing = StoredHistory(entries: [], asOf: AsOf(index: 0, time: 0), checked: 0)
    try await store.save([user: nothing], from: registrar.name)
  }

  // MARK: Answers

  /// What is known of users, asked for where `lookUp` says so. Every user is in the answer.
  func answers(for users: Set<UserID>, _ lookUp: LookUp) async throws(CancellationError) -> [UserID: SourceAnswer] {
    let known = await known(users)
    var answers: [UserID: SourceAnswer] = [:]
    var wanted: Set<UserID> = []
    for user in users {
      if let answer = present(user, known[user], lookUp) { answers[user] = answer } else { wanted.insert(user) }
    }
    guard !wanted.isEmpty else { return answers }
    guard flights.queuedCount + wanted.count <= settings.maxQueued else {
      for user in wanted {
        answers[user] = known[user].map { .history($0) } ?? .unavailable("too many users wait to be asked for")
      }
      return answers
    }
    for (user, answer) in try await fly(wanted) {
      if case .unavailable = answer, let known = known[user] {
        answers[user] = .history(known)
      } else {
        answers[user] = answer
      }
    }
    return answers
  }

  /// The answer that needs no request; nil where one is needed.
  private func present(_ user: UserID, _ known: KnownHistory?, _ lookUp: LookUp) -> SourceAnswer? {
    guard lookUp != .always else { return nil }
    let now = clock.now()
    if let negative = negatives[user], negative.until > now { return negative.answer }
    if let known, (0..<settings.freshFor).contains(now - known.checked) { return .history(known) }
    if lookUp == .known { return known.map { .history($0) } ?? .unavailable("the user is not known here") }
    // A registrar that has just failed is not waited for where there is something to go on with.
    if let known, restsUntil > now { return .history(known) }
    return nil
  }

  // MARK: What was stored

  private func restorePolicies() async {
    guard !isRestored else { return }
    do {
      let texts = try await store.policies(from: registrar.name)
      guard !isRestored else { return }
      isRestored = true
      try policies.restore(texts)
    } catch let failure as StoreFailure {
      notify(.storeFailed(failure))
    } catch {
      notify(.storeFailed(StoreFailure("the stored policies are not what was stored: \(error)")))
    }
  }

  /// What is in memory of users, or in the store. What was stored is judged again; what does not hold is as good as not
  /// there.
  private func known(_ users: Set<UserID>) async -> [UserID: KnownHistory] {
    await restorePolicies()
    var known: [UserID: KnownHistory] = [:]
    for user in users { known[user] = cache.known(user) }
    guard known.count < users.count, let chain = policies.chain else { return known }
    let stored: [UserID: StoredHistory]
    do throws(StoreFailure) {
      stored = try await store.histories(of: users.filter { known[$0] == nil }, from: registrar.name)
    } catch {
      notify(.storeFailed(error))
      return known
    }
    let jobs = stored.compactMap { user, history in
      EntryList.read(history.entries).map { values in
        HistoryJob(
          user: user, app: app, registrar: registrar.name, known: nil, pin: nil, offered: values, asOf: history.asOf,
          clock: max(history.checked, history.asOf.time))
      }
    }
    for (user, answer) in await HistoryJob.run(jobs, under: chain) {
      guard case .history(let judged) = answer, let checked = stored[user]?.checked else { continue }
      // A request may have brought something newer meanwhile.
      let restored = cache.known(user) ?? KnownHistory(judged: judged.judged, checked: checked)
      cache.set(restored, of: user)
      known[user] = restored
    }
    return known
  }

  // MARK: Flights

  private func fly(_ users: Set<UserID>) async throws(CancellationError) -> [UserID: SourceAnswer] {
    nextCall += 1
    let call = nextCall
    do {
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
          flights.add(call, for: users, continuation)
          depart()
        }
      } onCancel: {
        Task { await self.cancel(call) }
      }
    } catch {
      throw CancellationError()
    }
  }

  private func cancel(_ call: Int) {
    for batch in flights.cancel(call) { tasks[batch]?.cancel() }
  }

  /// Sends what waits: at once if it fills a request, else after the window.
  private func depart() {
    while flights.queuedCount >= APILimits.resolveIDs.upperBound, send() {}
    guard flights.queuedCount > 0, !isCollecting, flights.batchCount < settings.requestsAtOnce else { return }
    isCollecting = true
    Task {
      _ = try? await clock.sleep(for: settings.batchWindow)
      isCollecting = false
      while send() {}
    }
  }

  private func send() -> Bool {
    guard flights.batchCount < settings.requestsAtOnce,
      let (batch, users) = flights.takeBatch(upTo: APILimits.resolveIDs.upperBound)
    else { return false }
    tasks[batch] = Task {
      let answers = await ask(for: users)
      tasks[batch] = nil
      flights.land(batch, answers)
      depart()
    }
    return true
  }

  // MARK: Requests

  private func ask(for users: Set<UserID>) async -> [UserID: SourceAnswer] {
    do throws(SourceFailure) {
      // Without the chain that was pinned, any other would be taken for it.
      guard isRestored else { throw .storeFailed }
      // Before it is asked: what others who share the store pin meanwhile is not to be held against this answer.
      let pins = await ownPins(of: users)
      let gathered = try await gather(users)
      if policies.chain == nil || !gathered.entries.values.allSatisfy(\.isEmpty) {
        try await fetchPolicies(through: gathered.asOf.index)
      }
      // Whoever waits must hear something of every user.
      return users.reduce(into: await judge(gathered, pins)) { answers, user in
        answers[user] = answers[user] ?? .unavailable("the registrar's answer says nothing of the user")
      }
    } catch {
      let answer: SourceAnswer
      if case .conflict(let conflict) = error {
        answer = .conflict(conflict)
      } else {
        answer = .unavailable(error.description)
        if case .cancelled = error {} else { restsUntil = clock.now() + settings.restAfterFailure }
      }
      return Dictionary(uniqueKeysWithValues: users.map { ($0, answer) })
    }
  }

  /// What was gathered of users in one or more requests.
  private struct Gathered {
    /// What was known when they were asked for.
    var known: [UserID: KnownHistory] = [:]
    var asOf = AsOf(index: 0, time: 0)
    var entries: [UserID: [JSONValue]] = [:]
    var unknown: Set<UserID> = []
    /// Asked for, and in no part of the answers.
    var omitted: Set<UserID> = []
  }

  /// Asks until nothing is left in `more`. Every answer must bring something.
  private func gather(_ users: Set<UserID>) async throws(SourceFailure) -> Gathered {
    var gathered = Gathered()
    var remaining = users
    var have: [UserID: RecordHash] = [:]
    for user in users {
      gathered.known[user] = cache.known(user)
      have[user] = gathered.known[user]?.judged.history.entries.last?.content.hash
    }
    var bytes = 0
    while !remaining.isEmpty {
      let request = ResolveRequest(ids: remaining.sorted(), have: have.filter { remaining.contains($0.key) })
      let answer = try await exchange.answer(
        .post, APIPath.resolve.path(of: app), body: request.body,
        maxBytes: APILimits.resolveAnswerBytes + Self.answerMargin)
      bytes += answer.body.count
      guard bytes <= settings.maxAnswerBytes else { throw .transport(.tooLarge) }
      guard let part = ResolveAnswer(answer.body, asked: remaining), part.asOf.index >= gathered.asOf.index,
        part.asOf.time >= gathered.asOf.time, part.unknown.isDisjoint(with: gathered.entries.keys)
      else { throw .badAnswer("it is no answer to resolve") }
      gathered.asOf = part.asOf
      for (user, entries) in part.entries where !entries.isEmpty {
        gathered.entries[user, default: []] += entries
        have[user] = entries.last?.object?["record"].map { RecordHash(of: CanonicalJSON.bytes(of: $0)) }
      }
      let done = remaining.subtracting(part.more)
      for user in done.subtracting(part.unknown) where part.entries[user] == nil { gathered.omitted.insert(user) }
      for user in done where part.entries[user] != nil && gathered.entries[user] == nil { gathered.entries[user] = [] }
      gathered.unknown.formUnion(part.unknown)
      guard !done.isEmpty || part.entries.values.contains(where: { !$0.isEmpty }) else {
        throw .badAnswer("it puts everything off and brings nothing")
      }
      remaining = part.more
    }
    return gathered
  }

  /// An answer may be longer than 8 MiB by the entry that made it so, and by what is around entries.
  private static let answerMargin = 256 << 10

  private func fetchPolicies(through index: Int64) async throws(SourceFailure) {
    guard policies.chain == nil || policies.through < index else { return }
    let headers = policies.chain == nil ? [] : policies.entityTag.map { [(name: "If-None-Match", value: $0)] } ?? []
    let asked = policies.chain?.entries.count ?? 0
    let answer = try await exchange.answer(
      .get, APIPath.policies.path(of: app), headers: headers, maxBytes: PolicyBook.maxAnswerBytes)
    if answer.status == 304 {
      guard policies.chain != nil else { throw .badAnswer("there are no policies that could be unchanged") }
      return policies.confirm(through: index)
    }
    guard let values = EntryList.read(answer.body) else { throw .badAnswer("the policies are no list of entries") }
    do throws(Conflict) {
      try policies.take(
        values, asked: asked, entityTag: answer.header("ETag"), through: index, clock: clock.now())
    } catch {
      throw .conflict(error)
    }
    do throws(StoreFailure) {
      try await store.savePolicies(policies.chain?.entries.map(\.text) ?? [], from: registrar.name)
    } catch {
      notify(.storeFailed(error))
    }
  }

  private func judge(_ gathered: Gathered, _ pins: [UserID: Pin]) async -> [UserID: SourceAnswer] {
    guard let chain = policies.chain else { return [:] }
    let now = clock.now()
    func job(_ user: UserID, _ offered: [JSONValue]?) -> HistoryJob {
      HistoryJob(
        user: user, app: app, registrar: registrar.name, known: gathered.known[user], pin: pins[user], offered: offered,
        asOf: gathered.asOf, clock: now)
    }
    let jobs = gathered.entries.map { job($0.key, $0.value) } + gathered.unknown.map { job($0, nil) }
    var answers = await HistoryJob.run(jobs, under: chain)
    for user in gathered.omitted { answers[user] = .unavailable("the registrar left the user out of its answer") }
    for user in HistoryJob.contradictions(in: gathered.entries) {
      let offered = Evidence(
        source: registrar.name, entries: gathered.entries[user, default: []].map { CanonicalJSON.bytes(of: $0) })
      answers[user] = .conflict(
        Conflict(.rules, "entries of different users contradict each other", evidence: [offered]))
    }
    await remember(answers, at: now)
    return answers
  }

  /// The pins of users whose history is not in memory, as far as they came from this registrar.
  private func ownPins(of users: Set<UserID>) async -> [UserID: Pin] {
    let users = users.filter { cache.known($0) == nil }
    guard !users.isEmpty else { return [:] }
    do throws(StoreFailure) {
      return try await store.pins(of: users).filter { $0.value.registrar == registrar.name }
    } catch {
      notify(.storeFailed(error))
      return [:]
    }
  }

  private func remember(_ answers: [UserID: SourceAnswer], at now: Milliseconds) async {
    var histories: [UserID: StoredHistory] = [:]
    if negatives.count + answers.count > settings.maxHistories { negatives = negatives.filter { $0.value.until > now } }
    for (user, answer) in answers {
      switch answer {
      case .history(let known):
        negatives[user] = nil
        // A request that was given up, and answered all the same, must not overwrite the one that came after it.
        if let newer = cache.known(user), newer.judged.asOf.index > known.judged.asOf.index { continue }
        cache.set(known, of: user)
        histories[user] = StoredHistory(entries: known.judged.evidence, asOf: known.judged.asOf, checked: known.checked)
      case .unknown, .conflict:
        if negatives.count < settings.maxHistories { negatives[user] = (answer, now + settings.negativeFor) }
      case .unavailable: break
      }
    }
    guard !histories.isEmpty else { return }
    do throws(StoreFailure) {
      try await store.save(histories, from: registrar.name)
    } catch {
      notify(.storeFailed(error))
    }
  }
}
