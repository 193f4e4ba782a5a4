import KeyRecords
import RegistryCache
import RegistryClient
import RegistryTestKit
import Testing

struct StoreTests {
  @Test(arguments: StoreDuties.all)
  func duties(duty: StoreDuties.Duty) async throws {
    let world = try CacheWorld()
    try await duty.check(try world.open()) { try world.afterCrash() }
  }

  /// The same with two open files, as two processes have them, each of which sees what the other wrote.
  @Test(arguments: StoreDuties.all)
  func dutiesWithAnotherWhoHasItOpen(duty: StoreDuties.Duty) async throws {
    let world = try CacheWorld()
    let store = try world.open()
    let other = try world.open()
    try await duty.check(store) { other }
  }

  @Test func appsShareAFileAndNothingElse() async throws {
    let world = try CacheWorld()
    let chat = try world.open()
    let forum = chat.file.store(of: try #require(AppID("forum.example")))
    try await CacheWorld.fill(chat)
    let user = try CacheWorld.user(0)
    #expect(try await forum.allPins().isEmpty)
    #expect(try await forum.pins(of: [user]).isEmpty)
    #expect(try await forum.policies(from: "r1").isEmpty)
    #expect(try await forum.cursor(of: "r1") == nil)
    #expect(try await forum.histories(of: [user], from: "r1").isEmpty)
    #expect(try await forum.quarantinedSigners().isEmpty)
    let pin = CacheWorld.pin(user, sequence: 1)
    #expect(try await forum.replacePins([PinChange(of: user, from: nil, to: pin)]).isEmpty)
    let object = QuarantinedObject(text: Array("{\"id\":1}".utf8), signer: user, received: 1)
    _ = try await forum.quarantine([object], limits: QuarantineLimits(count: 1), now: 2)
    try await forum.release([object.digest])
    #expect(try await chat.pins(of: [user])[user]?.sequence == 7)
    #expect(try await chat.quarantined(by: [user]) == [object])
  }

  @Test func whatWaitsIsCountedBySigner() async throws {
    let store = try CacheWorld().open()
    let (one, two) = (try CacheWorld.user(1), try CacheWorld.user(2))
    let objects = (0..<5).map { number in
      QuarantinedObject(
        text: [UInt8](repeating: UInt8(number), count: 10 + number), signer: number < 3 ? two : one,
        received: Milliseconds(100 - number))
    }
    _ = try await store.quarantine(objects, limits: QuarantineLimits(), now: 100)
    let shares = try await store.quarantineShares()
    #expect(shares.map(\.signer) == [one, two])
    #expect(shares.map(\.count) == [2, 3])
    #expect(shares.map(\.bytes) == [13 + 14, 10 + 11 + 12])
    #expect(shares.map(\.oldest) == [96, 98])
  }

  /// The least recently used go, reading counts as use, and nothing but histories goes.
  @Test func evictionKeepsTheBytesAndWhatWasUsed() async throws {
    let world = try CacheWorld()
    let clock = ManualClock(now: 1_770_000_000_000)
    let store = try world.open(maxHistoryBytes: 100_000, clock: clock)
    let user = try CacheWorld.user(0)
    try await store.savePolicies([[1, 2, 3]], from: "r1")
    try await store.saveCursor(9, of: "r1")
    let pin = CacheWorld.pin(user, sequence: 1)
    _ = try await store.replacePins([PinChange(of: user, from: nil, to: pin)])
    let other = store.file.store(of: try #require(AppID("forum.example")))
    for number in 0..<60 {
      clock.advance(by: 2 * 3_600_000)
      let history = CacheWorld.history(bytes: 4_000, filler: UInt8(number))
      try await (number.isMultiple(of: 2) ? store : other).save([try CacheWorld.user(number): history], from: "r1")
      #expect(try await store.histories(of: [user], from: "r1").count == 1, "what is used all the time stays")
    }
    let users = Set(try (0..<60).map { try CacheWorld.user($0) })
    let left = Set(try await store.histories(of: users, from: "r1").keys)
      .union(try await other.histories(of: users, from: "r1").keys)
    let newest = Set(try (60 - left.count + 1..<60).map { try CacheWorld.user($0) })
    #expect(left == newest.union([user]), "the newest stay, of whichever app")
    #expect((15...24).contains(left.count), "\(left.count) histories of 4 kB are in 100 kB")
    #expect(try await store.pins(of: [user])[user] == pin)
    #expect(try await store.policies(from: "r1") == [[1, 2, 3]])
    #expect(try await store.cursor(of: "r1") == 9)
  }

  /// One that alone is more than the limit is not kept, and does no harm.
  @Test func aHistoryThatIsTooLarge() async throws {
    let store = try CacheWorld().open(maxHistoryBytes: 10_000)
    let user = try CacheWorld.user(0)
    try await store.save([user: CacheWorld.history(bytes: 20_000)], from: "r1")
    #expect(try await store.histories(of: [user], from: "r1").isEmpty)
    try await store.save([user: CacheWorld.history(bytes: 2_000)], from: "r1")
    #expect(try await store.histories(of: [user], from: "r1").count == 1)
  }

  @Test func aClosedFileFails() async throws {
    let store = try CacheWorld().open()
    try store.file.close()
    await #expect(throws: StoreFailure.self) { try await store.allPins() }
  }
}
