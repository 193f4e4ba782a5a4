import CoreMetrics
import KeyRecords
import Registry
import RegistryAPI
import Synchronization
import WebTransport

/// The event feeds of all apps, on the loop of the WebSockets.
///
/// `@unchecked Sendable`: everything that changes belongs to the loop's thread.
final class EventHub: @unchecked Sendable {
  let loop: EventLoop
  let metrics: ServerMetrics
  private let permits: LoopPermits
  private var readers = 0
  private var feeds: [AppID: AppFeed] = [:]

  /// Consumers that read up at the same time; the others wait for their turn.
  static let mostReaders = 64

  init(on loop: EventLoop, metrics: ServerMetrics) {
    self.loop = loop
    self.metrics = metrics
    permits = LoopPermits(Self.mostReaders)
  }

  /// A consumer of an app's entries after `after`, for a connection that is about to be opened. From any thread.
  func consumer(of app: RegistryApp, after: Int64?) -> EventConsumer {
    EventConsumer(of: app, after: after, hub: self)
  }

  /// The feed of an app; it begins with its first consumer. On the loop only.
  func feed(of app: RegistryApp) -> AppFeed {
    if let feed = feeds[app.id] { return feed }
    let feed = AppFeed(of: app, hub: self)
    feeds[app.id] = feed
    return feed
  }

  /// Runs `body`, which reads stored entries, when it is its turn. On the loop only.
  func read(_ body: @escaping @Sendable () async -> Void) {
    readers += 1
    Task.immediate(executorPreference: loop) { [self] in
      await permits.take()
      await body()
      permits.giveBack()
      readers -= 1
    }
  }

  /// Ends all feeds, and returns when nothing is read any more. The connections are closed before.
  func stop() async {
    let task = Task(executorPreference: loop) { [self] in
      for feed in feeds.values { feed.stop() }
      feeds = [:]
      while readers > 0 { await loop.pause(for: Self.stopPause) }
    }
    await task.value
  }

  private static let stopPause = Duration.milliseconds(5)
}

/// The entries of one app as they are published, and who wants them. On the loop of the WebSockets only.
///
/// `@unchecked Sendable`: everything belongs to the loop's thread; the registry's calls are handed over to it.
final class AppFeed: @unchecked Sendable {
  /// The index of the newest entry that was published.
  private(set) var published: Int64 = -1
  private let hub: EventHub
  private let broadcast: WebSocketBroadcast
  private var consumers: [EventConsumer] = []
  private var subscription: FeedSubscription?

  init(of app: RegistryApp, hub: EventHub) {
    self.hub = hub
    broadcast = WebSocketBroadcast(on: hub.loop)
    let loop = hub.loop
    let subscription = app.subscribe { [weak self] batch in
      guard let feed = self else { return }
      loop.execute { feed.publish(batch) }
    }
    published = subscription.startIndex
    self.subscription = subscription
  }

  func stop() {
    subscription?.cancel()
    subscription = nil
  }

  func join(_ consumer: EventConsumer) {
    consumer.place = consumers.count
    consumers.append(consumer)
  }

  func leave(_ consumer: EventConsumer) {
    guard consumers.indices.contains(consumer.place), consumers[consumer.place] === consumer else { return }
    let last = consumers.removeLast()
    if last !== consumer {
      consumers[consumer.place] = last
      last.place = consumer.place
    }
  }

  private func publish(_ batch: FeedBatch) {
    for item in batch.items where item.index > published {
      published = item.index
      hub.metrics.sentEvents.increment()
      let takers = consumers.compactMap { $0.connection(for: item) }
      guard !takers.isEmpty else { continue }
      // One frame for all of them.
      broadcast.send(WebSocketFrame(utf8: item.text), to: takers) { [metrics = hub.metrics] connection in
        EventClose.consumerTooSlow.close(connection, metrics)
      }
    }
  }
}

extension EventClose {
  /// Closes a connection with this code, and counts it.
  func close(_ connection: WebSocketConnection, _ metrics: ServerMetrics) {
    metrics.closed(reason)
    connection.close(code: rawValue, reason: reason)
  }
}

/// A number of permits for tasks of one loop, given out in the order in which they are asked for. On that loop only.
///
/// `@unchecked Sendable`: everything belongs to the loop's thread.
final class LoopPermits: @unchecked Sendable {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  /// Waits for a permit.
  func take() async {
    if free > 0 {
      free -= 1
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  /// Gives a permit back, to the next who waits.
  func giveBack() {
    if waiting.isEmpty {
      free += 1
    } else {
      waiting.removeFirst().resume()
    }
  }
}
