public import KeyRecords
import PeerstackFormat
import RegistryAPI

/// A registrar that a record names in its `sourceUrl` (docs/spec/protocol.md §3).
public struct HintedRegistrar: Sendable {
  /// Its base URL, always spelled the same way: one that is configured under this name is not asked as a hint too.
  public let name: String
  /// Its host, by which failures are remembered and requests counted.
  public let host: String
  /// How it is reached. It must connect to addresses on the open Internet alone: whoever signed the record chose the URL.
  public let transport: any RegistryTransport

  /// A registrar.
  public init(name: String, host: String, transport: any RegistryTransport) {
    self.name = name
    self.host = host
    self.transport = transport
  }
}

/// How far the `sourceUrl` of records is followed. Strangers choose it, so each of these bounds what they can make a
/// client do.
public struct HintLimits: Sendable, Hashable {
  /// Registrars that are asked because of one look-up; further ones wait for the next.
  public var registrarsPerLookUp = 8
  /// Of these, at one host.
  public var registrarsPerHost = 2
  /// Users that one registrar is asked for at once.
  public var usersPerRegistrar = 100
  /// Registrars that are asked at a time, whatever the number of look-ups.
  public var atOnce = 4
  /// How long one exchange may take; there are two for a registrar.
  public var timeout: Duration = .seconds(3)
  /// Bytes of an answer with histories.
  public var answerBytes = 1 << 20
  /// Bytes of an answer with policies.
  public var policyBytes = 256 << 10
  /// How long a user's hint is not asked again.
  public var askAgainAfter: Milliseconds = 600_000
  /// How long a host that failed, or told what cannot be, is left alone.
  public var restAfterFailure: Milliseconds = 600_000
  /// Users, and hosts, about whom something is remembered.
  public var maxRemembered = 1_000
  /// Bytes of records that are remembered.
  public var maxHistoryBytes = 16 << 20

  /// The defaults.
  public init() {}
}

/// Asks the registrars that records name, in addition to those that are configured, and remembers what they show.
///
/// What they show is a history from anybody (docs/spec/protocol.md §9, *Time*): it proves who signed, not when, nor that
/// nothing is missing. They get no `Authorization`, and are never tried twice in a row.
actor SourceHints {
  /// Requests that are about to be made to one registrar.
  struct Batch: Sendable {
    let registrar: HintedRegistrar
    var users: Set<UserID>
  }

  /// What a hint showed.
  struct Shown: Sendable {
    let registrar: String
    let judged: JudgedHistory
  }

  private let find: ResolverSettings.Hints
  /// Names of the registrars that are asked anyway.
  private let configured: Set<String>
  private let app: AppID
  private let settings: ResolverSettings
  private let clock: any ClientClock
  private var limits: HintLimits { settings.hintLimits }

  private var asked: [UserID: Milliseconds] = [:]
  private var restsUntil: [String: Milliseconds] = [:]
  private var shown: HistoryCache
  /// From which registrar the history of a user in `shown` is.
  private var sources: [UserID: String] = [:]
  private var told: [UserID: String] = [:]
  private var underWay = 0

  init(
    _ find: @escaping ResolverSettings.Hints, configured: [String], app: AppID, settings: ResolverSettings,
    clock: any ClientClock
  ) {
    self.find = find
    // An app may spell its registrars in another way than records do.
    self.configured = Set(configured + configured.compactMap { find($0)?.name })
    self.app = app
    self.settings = settings
    self.clock = clock
    shown = HistoryCache(maxCount: settings.hintLimits.maxRemembered, maxBytes: settings.hintLimits.maxHistoryBytes)
  }

  // MARK: What is to be asked

  /// Those of the users' hints that are due, within the limits; they count as asked from now on.
  ///
  /// - Parameters:
  ///   - urls: The `sourceUrl` of each user.
  ///   - isForced: Whether users are due who were asked for a short time ago.
  func take(_ urls: [UserID: String], isForced: Bool = false) -> [Batch] {
    let now = clock.now()
    forget(before: now)
    var batches: [String: Batch] = [:]
    var hosts: [String: Int] = [:]
    for (user, url) in urls.sorted(by: { $0.key < $1.key }) {
      guard isForced || asked[user] == nil, asked.count < limits.maxRemembered else { continue }
      guard let registrar = find(url), !configured.contains(registrar.name), restsUntil[registrar.host] == nil else {
        continue
      }
      if batches[registrar.name] == nil {
        guard batches.count < min(limits.registrarsPerLookUp, limits.atOnce - underWay),
          hosts[registrar.host, default: 0] < limits.registrarsPerHost
        else { continue }
        hosts[registrar.host, default: 0] += 1
        batches[registrar.name] = Batch(registrar: registrar, users: [])
      }
      guard batches[registrar.name]?.users.count ?? 0 < limits.usersPerRegistrar else { continue }
      batches[registrar.name]?.users.insert(user)
      asked[user] = now
    }
    underWay += batches.count
    return Array(batches.values)
  }

  private func forget(before now: Milliseconds) {
    asked = asked.filter { (0..<limits.askAgainAfter).contains(now - $0.value) }
    restsUntil = restsUntil.filter { $0.value > now }
  }

  /// Forgets what was shown of a user.
  func forget(_ user: UserID) {
    asked[user] = nil
    shown.remove(user)
    sources[user] = nil
    told[user] = nil
  }

  // MARK: Asking

  /// Asks; users of whom something was shown.
  func ask(_ batches: [Batch]) async -> Set<UserID> {
    let (app, settings, clock) = (app, settings, clock)
    return await withTaskGroup(of: (Batch, [UserID: JudgedHistory]?).self) { group in
      for batch in batches {
        group.addTask { (batch, await Self.histories(batch, app: app, settings: settings, clock: clock)) }
      }
      var users: Set<UserID> = []
      for await (batch, histories) in group {
        underWay -= 1
        remember(histories, of: batch)
        users.formUnion(histories?.keys.map(\.self) ?? [])
      }
      return users
    }
  }

  private func remember(_ histories: [UserID: JudgedHistory]?, of batch: Batch) {
    guard let histories else {
      guard !Task.isCancelled, restsUntil.count < limits.maxRemembered else { return }
      restsUntil[batch.registrar.host] = clock.now() + limits.restAfterFailure
      return
    }
    if sources.count + histories.count > limits.maxRemembered { (sources, told) = ([:], [:]) }
    for (user, judged) in histories {
      shown.set(KnownHistory(judged: judged, checked: clock.now()), of: user)
      sources[user] = batch.registrar.name
    }
  }

  /// What a registrar shows of users; nil if it failed, or any of it cannot be.
  private static func histories(
    _ batch: Batch, app: AppID, settings: ResolverSettings, clock: any ClientClock
  ) async -> [UserID: JudgedHistory]? {
    let limits = settings.hintLimits
    var patience = settings
    patience.attempts = 1
    let registrar = Registrar(
      name: batch.registrar.name, transport: batch.registrar.transport, timeout: limits.timeout)
    let exchange = RegistrarExchange(registrar: registrar, settings: patience, clock: clock, random: { 0 })
    do {
      let request = ResolveRequest(ids: batch.users.sorted(), have: [:])
      let answer = try await exchange.answer(
        .post, APIPath.resolve.path(of: app), body: request.body, maxBytes: limits.answerBytes)
      guard let part = ResolveAnswer(answer.body, asked: batch.users) else { return nil }
      let entries = part.entries.mapValues(beforeAdmins).filter { !$0.value.isEmpty }
      guard !entries.isEmpty else { return [:] }
      let list = try await exchange.answer(.get, APIPath.policies.path(of: app), maxBytes: limits.policyBytes)
      guard let policies = EntryList.read(list.body) else { return nil }
      let chain = try HistoryRules.chain(policies, app: app)
      var histories: [UserID: JudgedHistory] = [:]
      for (user, values) in entries {
        histories[user] = try PeerHistory(of: user, values).judge(app: app, under: chain, clock: clock.now())
      }
      return histories
    } catch {
      return nil
    }
  }

  /// The entries before the first that the app's admins decide about: those of a hint are anybody.
  private static func beforeAdmins(_ entries: [JSONValue]) -> [JSONValue] {
    Array(
      entries.prefix { value in
        let entry = value.object
        return entry?["effective"]?.integer != nil
          && entry?["record"]?.object?["type"]?.string == ObjectType.keyRecord.rawValue
      })
  }

  // MARK: What was shown

  /// What the hints of users showed, as far as it is from those that their records name now.
  func shown(of urls: [UserID: String]) -> [UserID: Shown] {
    var found: [UserID: Shown] = [:]
    for (user, url) in urls {
      guard let source = sources[user], find(url)?.name == source, let known = shown.known(user) else { continue }
      found[user] = Shown(registrar: source, judged: known.judged)
    }
    return found
  }

  /// Whether the app was not told of this the last time.
  func isNews(_ text: String, of user: UserID) -> Bool {
    if told.count >= limits.maxRemembered { told = [:] }
    return told.updateValue(text, forKey: user) != text
  }
}
