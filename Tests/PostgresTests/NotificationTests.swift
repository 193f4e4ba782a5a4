import Postgres
import PostgresCluster
import PostgresTestSupport
import Testing

@Suite struct NotificationTests {
  enum Event: Sendable, Equatable {
    case resync
    case notification(String, String)
  }

  @Test func notificationsArriveAndEveryConnectionBeginsWithAResync() async throws {
    let configuration = try TestDatabase.shared.get().configuration()
    let loop = TestLoop()
    defer { loop.stop() }
    let session = PostgresSession(configuration: configuration, loop: loop)
    defer { session.close() }
    let (events, stream) = AsyncStream.makeStream(of: Event.self)
    let listener = try NotificationListener(
      configuration: configuration, loop: loop, channels: ["plain", "with \"quotes\" and; spaces"],
      onNotification: { stream.yield(.notification($0, $1)) }, onResync: { stream.yield(.resync) })
    defer { listener.close() }
    var iterator = events.makeAsyncIterator()
    #expect(await iterator.next() == .resync)

    let notify = PreparedStatement("notify", "select pg_notify($1, $2)")
    for round in 0..<3 {
      try await session.transaction { transaction in
        for number in 0..<50 {
          try await transaction.query(notify, [.text("plain"), .text("\(round) \(number)")])
        }
        try await transaction.query(notify, [.text("with \"quotes\" and; spaces"), .text("")])
      }
      for number in 0..<50 { #expect(await iterator.next() == .notification("plain", "\(round) \(number)")) }
      #expect(await iterator.next() == .notification("with \"quotes\" and; spaces", ""))
      let kill = PreparedStatement(
        "kill_listeners", "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen \"with%'")
      let killed = try await session.transaction { try await $0.query(kill).count }
      #expect(killed == 1)
      #expect(await iterator.next() == .resync)
    }
  }

  @Test func aChannelWithoutANameIsRefused() async throws {
    let configuration = try TestDatabase.shared.get().configuration()
    let loop = TestLoop()
    defer { loop.stop() }
    for channel in ["", String(repeating: "x", count: 64), "a\0b"] {
      #expect(throws: PostgresError.self) {
        try NotificationListener(
          configuration: configuration, loop: loop, channels: [channel], onNotification: { _, _ in }, onResync: {})
      }
    }
  }
}
