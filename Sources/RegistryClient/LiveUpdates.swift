import KeyRecords
import PeerstackFormat
import RegistryAPI

/// Follows a registrar's event feed, so that a revocation reaches this client at once and not when what it knows gets
/// stale.
///
/// The feed is a hint: of what it announces, users who are known here, or for whom objects wait, are looked up again
/// and judged as always. It resumes where it was, and connects again by itself.
public struct LiveUpdates: Sendable {
  /// Bytes of a frame: an entry with a record of 8 KiB, and room.
  private static let maxFrameBytes = 64 << 10
  private static let maxAppAnswerBytes = 64 << 10
  /// Entries after which the cursor is kept, if none of them mattered.
  private static let entriesPerCursor: Int64 = 64

  private let resolver: Resolver
  private let registrar: Registrar
  private let store: any RegistryStore
  private let settings: ResolverSettings
  private let clock: any ClientClock
  private let exchange: RegistrarExchange

  /// Updates from one of the resolver's registrars; the store and the settings are the resolver's.
  public init(
    resolver: Resolver, registrar: Registrar, store: any RegistryStore, settings: ResolverSettings = ResolverSettings(),
    clock: any ClientClock = SystemClock(), random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.resolver = resolver
    self.registrar = registrar
    self.store = store
    self.settings = settings
    self.clock = clock
    exchange = RegistrarExchange(registrar: registrar, settings: settings, clock: clock, random: random)
  }

  /// Follows until the task is cancelled.
  public func run() async throws(CancellationError) {
    var failures = 0
    while true {
      let hadEntries = await follow()
      guard !Task.isCancelled else { throw CancellationError() }
      failures = hadEntries ? 0 : failures + 1
      try await clock.sleep(for: exchange.backoff(max(failures, 1)))
    }
  }

  /// Follows one connection to its end; whether anything came.
  private func follow() async -> Bool {
    guard var cursor = await cursor() else { return false }
    let target = APIPath.events.path(of: resolver.app) + "?after=\(cursor)"
    var hadEntries = false
    var kept = cursor
    do throws(TransportFailure) {
      let feed = try await registrar.transport.events(target: target, maxFrameBytes: Self.maxFrameBytes)
      while case .text(let text) = try await next(feed) {
        // A gap would mean that something was missed: better to ask again from the last that is sure.
        guard let (index, user) = Self.announcement(text), index == cursor + 1 else { break }
        let matters = await look(up: user)
        guard !Task.isCancelled else { break }
        cursor = index
        hadEntries = true
        if matters || cursor - kept >= Self.entriesPerCursor { kept = await keep(cursor) ? cursor : kept }
      }
      await feed.close()
    } catch {
      // Whatever it was: another connection is tried, later and later.
    }
    if cursor > kept { _ = await keep(cursor) }
    return hadEntries
  }

  /// The next event. After a restore from backup the registrar does not know the cursor: then it begins at the end
  /// again.
  private func next(_ feed: any RegistryFeed) async throws(TransportFailure) -> RegistryFeedEvent {
    let event = try await feed.next()
    if event == .closed(EventClose.futureCursor.rawValue) { _ = await begin() }
    return event
  }

  /// Where to go on; at first, where the registrar is now.
  private func cursor() async -> Int64? {
    if let cursor = try? await store.cursor(of: registrar.name) { return cursor }
    return await begin()
  }

  /// Begins at the end. What happened before to users who matter is not announced: they are looked up, which is why this
  /// comes before the cursor is kept.
  private func begin() async -> Int64? {
    guard let latest = await latestIndex() else { return nil }
    do {
      let waited = try await store.quarantinedSigners()
      let pinned = try await store.allPins().map(\.user)
      _ = try await resolver.resolve(waited.union(pinned), .always)
    } catch {
      return nil
    }
    return await keep(latest) ? latest : nil
  }

  private func latestIndex() async -> Int64? {
    let answer = try? await exchange.answer(
      .get, APIPath.app.path(of: resolver.app), maxBytes: Self.maxAppAnswerBytes)
    let fields = answer.flatMap { try? JSONValue.parseStrict($0.body, maxDepth: JSONLimits.strictMaxDepth + 1).object }
    return fields?["index"]?.integer
  }

  private func keep(_ cursor: Int64) async -> Bool {
    (try? await store.saveCursor(cursor, of: registrar.name)) != nil
  }

  /// The index and the user of an entry; a policy has no user. Nothing else is believed of it, so nothing is verified.
  private static func announcement(_ text: [UInt8]) -> (index: Int64, user: UserID?)? {
    guard let fields = try? JSONValue.parseStrict(text, maxDepth: JSONLimits.strictMaxDepth + 1).object,
      let index = fields["index"]?.integer, let record = fields["record"]?.object
    else { return nil }
    return (index, record["subject"]?.string.flatMap { UserID($0) })
  }

  /// Looks a user up who is known, or waited for, or was asked for in vain just now: whoever asked may be about to wait.
  /// Whether one of these is so.
  private func look(up user: UserID?) async -> Bool {
    guard let user else { return false }
    var matters = false
    switch try? await resolver.resolve(user, .known) {
    case .user, .unknown, .conflict, .expired: matters = true
    case .unavailable, nil: matters = (try? await store.quarantined(by: [user]).isEmpty) == false
    }
    if matters { _ = try? await resolver.resolve(user, .always) }
    return matters
  }
}
