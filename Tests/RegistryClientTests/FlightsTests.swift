import KeyRecords
import Testing

@testable import RegistryClient

/// Who waits for what, without any request.
struct FlightsTests {
  private let users: [UserID]

  init() throws { users = try (0..<9).map { try #require(UserID("00mjuohs00aaaaaaaaaaaaaa\($0)")) } }

  /// Flights behind a lock of their own, so that calls can wait for them.
  private actor Tower {
    var flights = Flights<Int>()
    var calls = 0

    func fly(_ call: Int, _ users: Set<UserID>) async throws -> [UserID: Int] {
      try await withCheckedThrowingContinuation {
        flights.add(call, for: users, $0)
        calls += 1
      }
    }

    func take(_ count: Int) -> (Int, Set<UserID>)? { flights.takeBatch(upTo: count) }
    func land(_ batch: Int, _ answers: [UserID: Int]) { flights.land(batch, answers) }
    func cancel(_ call: Int) -> Set<Int> { flights.cancel(call) }
    var queued: Int { flights.queuedCount }
    var isIdle: Bool { flights.isIdle }
  }

  private func queued(_ tower: Tower, _ count: Int) async throws {
    try await eventually("\(count) users are queued") { await tower.queued == count }
  }

  @Test func callsForTheSameUserShareOneFlight() async throws {
    let tower = Tower()
    let first = Task { [users] in try await tower.fly(1, [users[0], users[1]]) }
    try await queued(tower, 2)
    let second = Task { [users] in try await tower.fly(2, [users[1], users[2]]) }
    try await queued(tower, 3)
    let (batch, asked) = try #require(await tower.take(10))
    #expect(asked == Set(users[0...2]))
    // While it is under way, the user is not asked for again.
    let third = Task { [users] in try await tower.fly(3, [users[1]]) }
    try await eventually("the third call waits") { await tower.calls == 3 }
    #expect(await tower.take(10) == nil)
    await tower.land(batch, [users[0]: 0, users[1]: 1, users[2]: 2])
    #expect(try await first.value == [users[0]: 0, users[1]: 1])
    #expect(try await second.value == [users[1]: 1, users[2]: 2])
    #expect(try await third.value == [users[1]: 1])
    #expect(await tower.isIdle)
  }

  @Test func batchesAreCutAndKeepTheOrder() async throws {
    let tower = Tower()
    let call = Task { [users] in try await tower.fly(1, Set(users)) }
    try await queued(tower, 9)
    var answers: [UserID: Int] = [:]
    for size in [4, 4, 1] {
      let (batch, asked) = try #require(await tower.take(4))
      #expect(asked.count == size)
      await tower.land(batch, Dictionary(uniqueKeysWithValues: asked.map { ($0, batch) }))
      answers.merge(asked.map { ($0, batch) }) { _, _ in -1 }
    }
    #expect(try await call.value == answers)
    #expect(await tower.isIdle)
  }

  @Test func whatNobodyWaitsForIsNotAskedOrGivenUp() async throws {
    let tower = Tower()
    let waiting = Task { [users] in try await tower.fly(1, [users[0], users[1]]) }
    try await queued(tower, 2)
    let other = Task { [users] in try await tower.fly(2, [users[1], users[2]]) }
    try await queued(tower, 3)
    #expect(await tower.cancel(1).isEmpty, "nothing is under way")
    await #expect(throws: CancellationError.self) { try await waiting.value }
    let (batch, asked) = try #require(await tower.take(10))
    #expect(asked == [users[1], users[2]])
    #expect(await tower.cancel(2) == [batch])
    await #expect(throws: CancellationError.self) { try await other.value }
    // Who comes now must not wait for the request that is being given up.
    let late = Task { [users] in try await tower.fly(3, [users[1]]) }
    try await queued(tower, 1)
    let (next, again) = try #require(await tower.take(10))
    #expect(next != batch && again == [users[1]])
    await tower.land(batch, [users[1]: 1])
    await tower.land(next, [users[1]: 2])
    #expect(try await late.value == [users[1]: 2])
    #expect(await tower.isIdle)
  }
}
