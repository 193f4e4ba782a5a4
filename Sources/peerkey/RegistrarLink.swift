import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryConnection

/// A registrar for the time of one command: what it says is judged before anybody sees it.
struct RegistrarLink: Sendable {
  let address: RegistrarAddress
  let app: AppID
  let resolver: Resolver
  let transport: WatchedTransport
  let store: any RegistryStore
  let authorization: Registrar.Authorization?
  private let isOffline: Bool
  /// When the command began to ask.
  let opened = SystemClock().now()
  /// How far the own history went before, by the keystore.
  private let mark: Pin?

  /// How long one exchange may take.
  static let timeout = Duration.seconds(15)
  private static let submitAttempts = 3
  private static let answerBytes = 256 << 10
  private static let policyBytes = 8 << 20

  /// A keystore as it is when a request is made.
  typealias Member = @Sendable () -> OpenKeystore

  /// Runs `body` with a link.
  ///
  /// - Parameters:
  ///   - cache: Where what the registrar says is kept.
  ///   - isOffline: Whether nobody is asked.
  ///   - mark: How far the history of a user went before, to which the registrar is held.
  ///   - member: The keystore of who asks, where an app lets only members read.
  static func open<T>(
    _ address: RegistrarAddress, app: AppID, cache: CachePlace, isOffline: Bool = false,
    mark: (user: UserID, mark: HistoryMark)? = nil, member: Member? = nil, _ body: (RegistrarLink) async throws -> T
  ) async throws -> T {
    let kept = try cache.open(app)
    defer { kept.close() }
    let network = isOffline ? nil : try RegistryNetwork()
    let link = RegistrarLink(
      address: address, app: app, store: kept.store,
      transport: WatchedTransport(network?.transport(to: address) ?? OfflineTransport()), hints: network?.hints,
      isOffline: isOffline, mark: mark.map { Pin($0.mark, of: $0.user) },
      authorization: member.map { Self.authorization(of: $0, app: app) })
    do {
      try await link.pinMark()
      let value = try await body(link)
      await network?.stop()
      return value
    } catch {
      await network?.stop()
      throw error
    }
  }

  /// Runs `body` with a link for reading: as a member of the app if that is needed, with the keystore at hand.
  static func openReading<T>(
    _ address: RegistrarAddress, app: AppID, cache: CachePlace, isOffline: Bool = false, keystore: KeystoreOptions,
    _ body: (RegistrarLink) async throws -> T
  ) async throws -> T {
    // Who is not asked wants no signature.
    var isOpen = true
    if !isOffline {
      do {
        isOpen = try await open(address, app: app, cache: cache) { link in
          try await link.shownPolicies()?.current?.rules.recordRead != .members
        }
      } catch let failure as CommandFailure where failure.status == .unreachable {
        // Then what was kept may do.
      }
    }
    guard !isOpen else { return try await open(address, app: app, cache: cache, isOffline: isOffline, body) }
    let unlocked: OpenKeystore
    do {
      unlocked = try keystore.unlock(app: app)
    } catch {
      throw CommandFailure(
        "\(app) lets only members look, and there is no keystore of one: \(CommandFailure(error).description)",
        code: ProblemCode.notAuthorised.rawValue)
    }
    return try await open(address, app: app, cache: cache, member: { unlocked }, body)
  }

  private init(
    address: RegistrarAddress, app: AppID, store: any RegistryStore, transport: WatchedTransport,
    hints: ResolverSettings.Hints?, isOffline: Bool, mark: Pin?, authorization: Registrar.Authorization?
  ) {
    self.address = address
    self.app = app
    self.store = store
    self.transport = transport
    self.isOffline = isOffline
    self.mark = mark
    self.authorization = authorization
    let registrar = Registrar(
      name: address.description, transport: transport, timeout: Self.timeout, authorization: authorization)
    var settings = ResolverSettings()
    if isOffline { settings.attempts = 1 }
    (settings.hints, settings.areHintsAwaited) = (hints, true)
    resolver = Resolver(app: app, registrars: [registrar], store: store, settings: settings)
  }

  /// Pins what the keystore remembers, where nothing is pinned yet. A pin that is there stays, whichever of the two is
  /// ahead: the history must go on from both, see ``check(_:isKept:)``.
  private func pinMark() async throws {
    guard let mark else { return }
    _ = try await store.replacePins([PinChange(of: mark.user, from: nil, to: mark)])
  }

  // MARK: Reading

  /// A user's judged history; nil if nobody has claimed the id.
  ///
  /// - Parameter orKept: Whether what the registrar said before will do where it cannot be asked.
  func history(of user: UserID, orKept: Bool = false) async throws -> ResolvedUser? {
    let asked = SystemClock().now()
    switch try await resolver.resolve(user, .always) {
    case .user(let known):
      let isKept = known.checked.map { $0 < asked } ?? true
      if isKept, !orKept { throw failure("cannot look up \(user)", unavailable: "its answer cannot be used") }
      try checkKept([known])
      try check(known, isKept: isKept)
      return known
    case .unknown: return nil
    case .conflict(let conflict): throw contradiction(user, conflict.reason, conflict.kind)
    case .unavailable(let reason): throw failure("cannot look up \(user)", unavailable: reason)
    case .expired(let checked):
      throw CommandFailure(
        "cannot look up \(user): \(Self.expired(checked)), and the registrar could not be asked", code: "expired",
        facts: ["checked": .integer(checked)], status: .unreachable)
    }
  }

  private func contradiction(_ user: UserID, _ reason: String, _ kind: Conflict.Kind) -> CommandFailure {
    CommandFailure(
      "\(address) contradicts itself, the rules or what was known about \(user): \(reason): trust nothing it says about "
        + "this user until you know why", code: "conflict", facts: ["kind": .text(kind.rawValue)])
  }

  /// The history must go on from what the keystore has seen. What was kept may be older.
  private func check(_ known: ResolvedUser, isKept: Bool) throws {
    guard let mark, mark.user == known.judged.subject, let reason = known.contradiction(to: mark) else { return }
    guard isKept else { throw contradiction(mark.user, reason, .rollback) }
    throw failure(
      "cannot look up \(mark.user)", unavailable: "what the cache has of it is older than what the keystore has seen")
  }

  /// Whether an answer is what the registrar said before this command began.
  func isKept(_ user: ResolvedUser) -> Bool { user.checked.map { $0 < opened } ?? true }

  /// What the registrar said before is no way around its refusal.
  func checkKept(_ users: [ResolvedUser]) throws {
    guard users.contains(where: isKept), let trouble = transport.trouble, trouble.isRefusal else { return }
    throw trouble.failure("cannot look up \(users.map(\.judged.subject.text).joined(separator: ", "))", at: address)
  }

  /// Says that a person sees what was kept.
  func noteKept(_ users: [ResolvedUser]) {
    guard let oldest = users.filter(isKept).compactMap(\.checked).min() else { return }
    let reason = isOffline ? "--offline" : failure("the registrar was not heard", unavailable: "no answer").description
    Console.say("note: this is what \(address) said \(TimeText.age(of: oldest)) ago: \(reason)")
  }

  static func expired(_ checked: Milliseconds) -> String {
    "what the cache has is from \(TimeWords.utc(checked)), which is too old to be used"
  }

  /// The app's policies, judged: as the registrar shows them, or else as they were known.
  func policies() async throws -> AppHistory? {
    let known = await resolver.policies(of: address.description)
    guard let shown = try await shownPolicies() else { return known }
    guard let known else { return shown }
    let isContinued =
      shown.entries.count >= known.entries.count
      && zip(shown.entries, known.entries).allSatisfy { $0.index == $1.index && $0.content.hash == $1.content.hash }
    guard isContinued else {
      throw CommandFailure(
        "\(address) does not show the policies of \(app) that it showed before: do not trust it", code: "conflict")
    }
    return shown
  }

  /// The app's policies as the registrar shows them, judged; nil if it cannot be asked.
  private func shownPolicies() async throws -> AppHistory? {
    let request = RegistryRequest(
      .get, APIPath.policies.path(of: app), maxAnswerBytes: Self.policyBytes, timeout: Self.timeout)
    guard case .success(let answer) = await answer(to: request) else { return nil }
    if let trouble = RegistrarTrouble(answer) { throw trouble.failure("cannot read the policies", at: address) }
    let depth = JSONLimits.strictMaxDepth + 3
    let entries = (try? JSONValue.parseStrict(answer.body, maxDepth: depth))?.object?["entries"]?.array
    var chain = AppHistory(app: app)
    for value in entries ?? [] {
      guard case .success(let entry) = Entry.verify(value, app: app), case .policy(let policy) = entry.content,
        case .accepted = chain.judge(policy, at: entry.accepted)
      else {
        throw CommandFailure("the policies of \(app) at \(address) break the rules: do not trust it", code: "conflict")
      }
      chain.append(entry)
    }
    return chain
  }

  /// The failure of a look-up that says only why in words.
  func failure(_ step: String, unavailable reason: String) -> CommandFailure {
    guard !isOffline else {
      return CommandFailure(
        "\(step): it is not in the cache, or too old there, and with --offline nobody is asked", code: "offline",
        status: .unreachable)
    }
    return transport.trouble?.failure(step, at: address)
      ?? CommandFailure("\(step): \(reason)", code: "unavailable", status: .unreachable)
  }

  // MARK: Submitting

  /// What a registrar made of a record.
  enum Outcome: Sendable {
    case accepted(Entry)
    /// Nothing changed.
    case refused(RegistrarTrouble)
    /// Nobody knows whether it was accepted.
    case unknown(RegistrarTrouble)
  }

  /// Sends a record. The same record may be sent any number of times: it is accepted once.
  func submit(_ record: [UInt8], invitation: [UInt8]? = nil) async throws -> Outcome {
    let request = request(APIPath.records.path(of: app), SubmissionBody.text(record: record, invitation: invitation))
    var trouble = RegistrarTrouble.transport(.timedOut)
    for attempt in 1...Self.submitAttempts {
      if attempt > 1 { try await Task.sleep(for: .milliseconds(300 * attempt)) }
      switch await answer(to: request) {
      case .success(let answer):
        if let refusal = RegistrarTrouble(answer) {
          guard refusal.isPassing || refusal.code == nil else { return .refused(refusal) }
          trouble = refusal
          continue
        }
        guard let value = try? JSONValue.parseStrict(answer.body, maxDepth: JSONLimits.strictMaxDepth + 1),
          case .success(let entry) = Entry.verify(value, app: app), entry.content.canonical == record
        else { return .unknown(.transport(.malformed("its answer is not the entry of the record"))) }
        return .accepted(entry)
      case .failure(let failure): trouble = .transport(failure)
      }
    }
    return .unknown(trouble)
  }

  /// What would happen to a record: the five fields of the protocol (§8).
  func dryRun(_ record: [UInt8], invitation: [UInt8]? = nil) async throws -> JSONObject {
    let request = request(
      APIPath.records.path(of: app) + "?dry-run=true", SubmissionBody.text(record: record, invitation: invitation))
    switch await answer(to: request) {
    case .success(let answer):
      if let refusal = RegistrarTrouble(answer) { throw refusal.failure("it would be refused", at: address) }
      guard let object = (try? JSONValue.parseStrict(answer.body))?.object else {
        throw CommandFailure("\(address) does not answer as a registrar does: check the address", status: .unreachable)
      }
      return object
    case .failure(let failure):
      throw RegistrarTrouble.transport(failure).failure("cannot ask what would happen", at: address)
    }
  }

  private func request(_ target: String, _ body: [UInt8]) -> RegistryRequest {
    RegistryRequest(.post, target, body: body, maxAnswerBytes: Self.answerBytes, timeout: Self.timeout)
  }

  /// Asks once.
  func answer(to request: RegistryRequest) async -> Result<RegistryAnswer, TransportFailure> {
    do throws(TransportFailure) {
      return .success(try await transport.answer(to: request))
    } catch {
      return .failure(error)
    }
  }

  // MARK: Members

  private static func authorization(of member: @escaping Member, app: AppID) -> Registrar.Authorization {
    {
      member().authorization(app: app, method: $0.method.rawValue, target: $0.target, at: SystemClock().now())
    }
  }
}

extension Pin {
  /// What a keystore remembers of its own history.
  fileprivate init(_ mark: HistoryMark, of user: UserID) {
    self.init(
      user: user, registrar: mark.registrar, first: mark.first, sequence: mark.sequence, head: mark.head,
      incarnation: mark.incarnation, lastIndex: mark.lastIndex, asOf: AsOf(index: mark.index, time: mark.time),
      trust: .unverified)
  }
}
