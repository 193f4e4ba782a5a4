import CoreMetrics
import Cryptography
import KeyRecords
import Logging
import Registry
import Synchronization
import WebTransport

/// Delivers the entries of one app that touch a user, one at a time and in order, each until the receiver takes it.
///
/// A page of entries is all it holds: what it has not read yet waits in the database.
final class WebhookSender: Sendable {
  /// Entries that are read at once.
  static let pageEntries = 64

  /// What senders share.
  struct Parts: Sendable {
    let registry: Registry
    let client: WebClient
    let timing: WebhookTiming
    let logger: Logger
  }

  /// The right to deliver.
  private struct Hold {
    /// The first entry that was not taken.
    var next: Int64
    /// When the database was last asked for the right, which it gave.
    var renewed: ContinuousClock.Instant
  }

  private let app: AppID
  private let url: WebhookURL
  private let parts: Parts
  private let metrics: WebhookMetrics
  private let cursor: WebhookCursor
  /// Rings when there may be something to do. However often it rang, it is heard once.
  private let bell: AsyncStream<Void>
  private let ring: AsyncStream<Void>.Continuation
  private let task = Mutex<Task<Void, Never>?>(nil)

  private var timing: WebhookTiming { parts.timing }

  init(_ app: AppID, to url: WebhookURL, _ parts: Parts, metrics: WebhookMetrics) {
    self.app = app
    self.url = url
    self.parts = parts
    self.metrics = metrics
    cursor = parts.registry.webhookCursor(of: app, lease: parts.timing.lease)
    (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Makes the cursor where there is none, and begins.
  func start() async throws(RegistryUnavailable) {
    try await cursor.prepare()
    task.withLock { $0 = Task(executorPreference: parts.client.loop) { await self.run() } }
  }

  /// Ends what is under way, and gives the right to deliver back.
  func stop() async {
    let task = task.withLock { $0 }
    task?.cancel()
    await task?.value
  }

  private nonisolated(nonsending) func run() async {
    let ticker = Task { [ring, pause = timing.renewal] in
      repeat { ring.yield() } while (try? await Task.sleep(for: pause)) != nil
    }
    var subscription: FeedSubscription?
    var hold: Hold?
    for await _ in bell {
      do throws(RegistryUnavailable) {
        guard let app = try await parts.registry.app(app) else { continue }
        subscription = subscription ?? app.subscribe { [ring] _ in ring.yield() }
        try await deliverAll(of: app, &hold)
      } catch {
        parts.logger.debug("the webhook waits", metadata: ["app": "\(app)", "reason": "\(error)"])
      }
    }
    subscription?.cancel()
    ticker.cancel()
    guard let hold else { return }
    // A task of its own, which is not cancelled. What cannot be noted is delivered again, and the right runs out.
    await Task { [cursor] in try? await cursor.release(at: hold.next) }.value
  }

  // MARK: The right to deliver

  /// Takes the right; `hold` is nil if another instance has it.
  private nonisolated(nonsending) func take(_ hold: inout Hold?) async throws(RegistryUnavailable) {
    let now = ContinuousClock.now
    hold = try await cursor.take().map { Hold(next: $0, renewed: now) }
  }

  /// Notes progress and renews the right; `hold` is nil afterwards if another instance has it.
  private nonisolated(nonsending) func renew(_ hold: inout Hold?) async throws(RegistryUnavailable) {
    guard let next = hold?.next else { return }
    let now = ContinuousClock.now
    hold = try await cursor.advance(to: next) ? Hold(next: next, renewed: now) : nil
  }

  /// Whether a delivery may begin now; renews the right where it is time.
  private nonisolated(nonsending) func mayDeliver(_ hold: inout Hold?) async throws(RegistryUnavailable) -> Bool {
    if let renewed = hold?.renewed, ContinuousClock.now - renewed >= timing.renewal { try await renew(&hold) }
    guard let renewed = hold?.renewed, !Task.isCancelled else { return false }
    return timing.allowsDelivery(atAge: ContinuousClock.now - renewed)
  }

  // MARK: Delivering

  private nonisolated(nonsending) func deliverAll(
    of app: RegistryApp, _ hold: inout Hold?
  ) async throws(RegistryUnavailable) {
    try await take(&hold)
    while let next = hold?.next {
      note(waitingFrom: next, in: app)
      let page = try await app.entries(after: next - 1, limit: Self.pageEntries)
      if page.isEmpty { return }
      for entry in page {
        if entry.subject != nil, !(try await deliver(entry, of: app, &hold)) { return }
        hold?.next = entry.index + 1
      }
      try await renew(&hold)
    }
    metrics.waiting.set(0)
  }

  /// Tries until the receiver takes the entry; false if the right to deliver is lost, or the sender stops.
  private nonisolated(nonsending) func deliver(
    _ entry: StoredEntry, of app: RegistryApp, _ hold: inout Hold?
  ) async throws(RegistryUnavailable) -> Bool {
    let delivery = WebhookDelivery(entry, of: app.id)
    let request = delivery.request(to: url.url, signedBy: parts.registry.signingKey)
    var failures = 0
    while try await mayDeliver(&hold) {
      guard let reason = await attempt(request) else {
        if failures > 0 { parts.logger.notice("the webhook takes entries again", metadata: facts(entry)) }
        metrics.delivered.increment()
        return true
      }
      if Task.isCancelled { return false }
      failures += 1
      metrics.failed.increment()
      tell(failures, reason, entry)
      note(waitingFrom: entry.index, in: app)
      var generator = SystemRandomNumberGenerator()
      try await pause(for: timing.pause(after: failures, using: &generator), &hold)
    }
    return false
  }

  /// Why the receiver has not taken it; nil if it has.
  private nonisolated(nonsending) func attempt(_ request: WebClientRequest) async -> String? {
    do throws(WebClientError) {
      let status = try await parts.client.response(to: request).status
      return (200..<300).contains(status) ? nil : "it answered with status \(status)"
    } catch {
      return error.status.map { "it answered with status \($0)" } ?? error.reason
    }
  }

  /// Waits, and keeps the right meanwhile.
  private nonisolated(nonsending) func pause(
    for duration: Duration, _ hold: inout Hold?
  ) async throws(RegistryUnavailable) {
    let end = ContinuousClock.now + duration
    while hold != nil, ContinuousClock.now < end {
      let slice = min(end - ContinuousClock.now, timing.renewal)
      if (try? await Task.sleep(for: slice)) == nil { return }
      try await renew(&hold)
    }
  }

  // MARK: Telling

  /// The 1st, 2nd, 4th, 8th … failure in a row: a receiver may be away for days.
  private func tell(_ failures: Int, _ reason: String, _ entry: StoredEntry) {
    guard failures & (failures - 1) == 0 else { return }
    var facts = facts(entry)
    facts["failures"] = "\(failures)"
    facts["reason"] = "\(reason)"
    parts.logger.warning("the webhook does not take an entry: it is tried until it does", metadata: facts)
  }

  private func facts(_ entry: StoredEntry) -> Logger.Metadata {
    ["app": "\(app)", "webhook": "\(url)", "index": "\(entry.index)"]
  }

  private func note(waitingFrom next: Int64, in app: RegistryApp) {
    guard let latest = try? app.snapshot().index else { return }
    metrics.waiting.set(max(0, latest + 1 - next))
  }
}
