import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI
import WebTransport

/// One WebSocket of the event feed: reads up to the present, then takes what is published.
///
/// `@unchecked Sendable`: everything that changes belongs to the loop of the WebSockets, which makes all calls.
final class EventConsumer: WebSocketHandler, @unchecked Sendable {
  /// Index in the feed's list.
  var place = -1
  private let app: RegistryApp
  private let after: Int64?
  private let hub: EventHub
  private var cursor: EventCursor
  private var subscription: Subscription?
  private var feed: AppFeed?
  private var connection: WebSocketConnection?

  /// Entries of a page while reading up.
  static let pageEntries = 64
  /// Bytes that may wait for a consumer before the next entry is read for it: what ten thousand of them may hold.
  static let waitingBytes = 65_536
  /// How often a consumer that does not read is looked at.
  static let pause = Duration.milliseconds(20)
  /// Looks at a consumer that reads nothing before it is too slow: ten seconds.
  static let mostPauses = 500
  /// How long a cursor may be ahead: another instance may have told the client of entries that this one is just hearing
  /// of.
  static let futureGrace = Duration.seconds(1)
  /// Before the database is asked again.
  static let retryPause = Duration.milliseconds(500)

  init(of app: RegistryApp, after: Int64?, hub: EventHub) {
    self.app = app
    self.after = after
    self.hub = hub
    cursor = EventCursor(after: after)
  }

  // MARK: - WebSocketHandler

  func opened(_ connection: WebSocketConnection) {
    self.connection = connection
    guard isFuture else { return begin() }
    hub.loop.schedule(after: Self.futureGrace) { [self] in
      guard self.connection != nil else { return }
      if isFuture { close(.futureCursor) } else { begin() }
    }
  }

  /// Whether the consumer claims to have entries that are not there. While the registry cannot say, it does not.
  private var isFuture: Bool {
    guard let after, let snapshot = try? app.snapshot() else { return false }
    return after > snapshot.index
  }

  func received(text: [UInt8], on connection: WebSocketConnection) {
    guard let subscription = Subscription(text) else { return close(.policyViolation) }
    self.subscription = subscription
  }

  func received(binary: [UInt8], on connection: WebSocketConnection) {
    close(.policyViolation)
  }

  func closed(_ connection: WebSocketConnection, code: UInt16?) {
    self.connection = nil
    feed?.leave(self)
    feed = nil
  }

  private func close(_ reason: EventClose) {
    guard let connection else { return }
    reason.close(connection, hub.metrics)
  }

  // MARK: - Live

  /// The connection, if it is to get this entry, which is being published.
  func connection(for item: FeedBatch.Item) -> WebSocketConnection? {
    switch cursor.published(item.index) {
    case .ignore: return nil
    case .send: return subscription?.wants(item.subject) == false ? nil : connection
    case .readOn:
      readUp()
      return nil
    }
  }

  // MARK: - Reading up

  private func begin() {
    let feed = hub.feed(of: app)
    self.feed = feed
    feed.join(self)
    readUp()
  }

  private func readUp() {
    guard let feed else { return }
    cursor.goLiveIfComplete(published: feed.published)
    guard cursor.phase == .catchingUp else { return }
    hub.read { [self] in
      while let feed = self.feed, cursor.phase == .catchingUp { await readPage(feed) }
    }
  }

  /// Reads a page and sends it; gives up when the connection closes.
  private func readPage(_ feed: AppFeed) async {
    guard let page = try? await app.export(after: cursor.after, limit: Self.pageEntries), !page.isEmpty else {
      await hub.loop.pause(for: Self.retryPause)
      return
    }
    for line in EntryLine.lines(of: page) {
      guard await waitForRoom() else { return }
      // From here to the sending nothing is waited for: what is published meanwhile is on one side of it or the other.
      guard cursor.read(line.index, published: feed.published) else { return }
      if let subscription, !subscription.wants(line.subject) { continue }
      connection?.send(WebSocketFrame(utf8: Array(line.text)))
    }
  }

  /// Waits until the consumer has taken most of what it was sent; false when it closed, or is too slow.
  private func waitForRoom() async -> Bool {
    var pauses = 0
    var least = Int.max
    while let connection, connection.isOpen {
      let waiting = connection.queuedBytes
      if waiting <= Self.waitingBytes { return true }
      pauses = waiting < least ? 0 : pauses + 1
      least = min(least, waiting)
      if pauses > Self.mostPauses {
        close(.consumerTooSlow)
        return false
      }
      await hub.loop.pause(for: Self.pause)
    }
    return false
  }
}

/// A line of the export: the JSON text of an entry (`Entry.text`).
struct EntryLine {
  let text: ArraySlice<UInt8>
  let index: Int64

  /// The user it is about: read when somebody asks.
  var subject: UserID? {
    guard let value = try? JSONValue.parseStrict(Array(text)) else { return nil }
    return value.object?["record"]?.object?["subject"]?.string.flatMap { UserID($0) }
  }

  /// The lines of a page.
  static func lines(of page: [UInt8]) -> [EntryLine] {
    page.split(separator: UInt8(ascii: "\n")).compactMap { EntryLine($0) }
  }

  private static let start = Array("{\"index\":".utf8)

  private init?(_ text: ArraySlice<UInt8>) {
    guard text.starts(with: Self.start) else { return nil }
    let digits = text.dropFirst(Self.start.count).prefix { $0 &- UInt8(ascii: "0") < 10 }
    guard let index = Int64(String(decoding: digits, as: UTF8.self)) else { return nil }
    self.text = text
    self.index = index
  }
}

extension EventLoop {
  /// Lets a task of the loop wait.
  func pause(for duration: Duration) async {
    await withCheckedContinuation { continuation in
      schedule(after: duration) { continuation.resume() }
    }
  }
}
