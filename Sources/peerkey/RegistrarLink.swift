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
  private let store: MemoryStore
  let authorization: Registrar.Authorization?

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
  ///   - mark: How far the history of a user went before, to which the registrar is held.
  ///   - member: The keystore of who asks, where an app lets only members read.
  static func open<T>(
    _ address: RegistrarAddress, app: AppID, mark: (user: UserID, mark: HistoryMark)? = nil,
    member: Member? = nil, _ body: (RegistrarLink) async throws -> T
  ) async throws -> T {
    let network = try RegistryNetwork()
    let link = RegistrarLink(
      address: address, app: app, transport: WatchedTransport(network.transport(to: address)), hints: network.hints,
      authorization: member.map { Self.authorization(of: $0, app: app) })
    do {
      if let mark { try await link.pin(mark.mark, of: mark.user) }
      let value = try await body(link)
      await network.stop()
      return value
    } catch {
      await network.stop()
      throw error
    }
  }

  /// Runs `body` with a link for reading: as a member of the app if that is needed, with the keystore at hand.
  static func openReading<T>(
    _ address: RegistrarAddress, app: AppID, keystore: KeystoreOptions, _ body: (RegistrarLink) async throws -> T
  ) async throws -> T {
    let isOpen = try await open(address, app: app) { link in
      try await link.policies()?.current?.rules.recordRead != .members
    }
    guard !isOpen else { return try await open(address, app: app, body) }
    let unlocked: OpenKeystore
    do {
      unlocked = try keystore.unlock(app: app)
    } catch {
      throw CommandFailure(
        "\(app) lets only members look, and there is no keystore of one: \(CommandFailure(error).description)",
        code: ProblemCode.notAuthorised.rawValue)
    }
    return try await open(address, app: app, member: { unlocked }, body)
  }

  private init(
    address: RegistrarAddress, app: AppID, transport: WatchedTransport, hints: @escaping ResolverSettings.Hints,
    authorization: Registrar.Authorization?
  ) {
    self.address = address
    self.app = app
    self.transport = transport
    self.authorization = authorization
    store = MemoryStore()
    let registrar = Registrar(
      name: address.description, transport: transport, timeout: Self.timeout, authorization: authorization)
    var settings = ResolverSettings()
    (settings.hints, settings.areHintsAwaited) = (hints, true)
    resolver = Resolver(app: app, registrars: [registrar], store: store, settings: settings)
  }

  private func pin(_ mark: HistoryMark, of user: UserID) async throws {
    let pin = Pin(
      user: user, registrar: mark.registrar, first: mark.first, sequence: mark.sequence, head: mark.head,
      incarnation: mark.incarnation, lastIndex: mark.lastIndex, asOf: AsOf(index: mark.index, time: mark.time),
      trust: .unverified)
    _ = await store.replacePins([PinChange(of: user, from: nil, to: pin)])
  }

  // MARK: Reading

  /// A user's judged history; nil if nobody has claimed the id.
  func history(of user: UserID) async throws -> ResolvedUser? {
    switch try await resolver.resolve(user, .always) {
    case .user(let user): return user
    case .unknown: return nil
    case .conflict(let conflict):
      throw CommandFailure(
        "\(address) contradicts itself, the rules or what was known about \(user): \(conflict.reason): trust nothing it "
          + "says about this user until you know why", code: "conflict", facts: ["kind": .text(conflict.kind.rawValue)])
    case .unavailable(let reason):
      throw failure("cannot look up \(user)", unavailable: reason)
    case .expired: throw failure("cannot look up \(user)", unavailable: "what is known is too old")
    }
  }

  /// The app's policies, judged.
  func policies() async throws -> AppHistory? {
    if let known = await resolver.policies(of: address.description) { return known }
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
    transport.trouble?.failure(step, at: address)
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
