import KeyRecords
import PeerstackFormat
import RegistryAPI
import Synchronization
import Testing

@testable import Registry

/// Whole answers from memory, made of texts that lie there.
@Suite("Users read in memory") struct RememberedUsersTests {
  private static func texts(_ users: RememberedUsers) -> [[UInt8]] {
    (0..<users.count).map { place in
      let count = users.textByteCount(at: place)
      // Out of range, which means nothing.
      users.prefetchText(at: place + 3)
      return Array(capacity: count) { users.appendText(at: place, to: &$0) }
    }
  }

  private static func text(_ user: UserSnapshot?) -> [UInt8] {
    Array((user?.entries ?? []).map(\.text).joined(separator: [UInt8(ascii: ",")]))
  }

  @Test("they have what the general way finds, whatever time will do to them") func sameEntries() async throws {
    try await withFixture("remembered_same") { fixture in
      let app = try await fixture.app(in: fixture.registry())
      let now = fixture.clock.now
      let people = try (0..<4).map { try Person(app: fixture.app, now: now, delay: $0 == 3 ? 60_000 : nil) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      fixture.clock.advance(by: 1)
      #expect(try await app.submit(people[1].rotated(at: now + 1).body).isCreated)
      #expect(try await app.submit(people[2].revoked(at: now + 1).body).isCreated)
      #expect(try await app.submit(people[3].recovered(at: now + 1).body).isCreated)
      let nobody = try #require(UserID(PeerstackID.make(now: now)))
      let ids = people.map(\.id) + [nobody]
      let read = try await app.users(ids)
      #expect(read.users[people[3].id]?.validUntil != .max)
      guard let users = app.remembered(ids) else { throw Unexpected("memory has not all of them") }
      #expect(users.asOf == read.asOf && Self.texts(users) == ids.map { Self.text(read.users[$0]) })
      #expect(users.count == 5 && users.unclaimedCount == 1 && users.entryCount == 7)
      #expect(users.textByteCount == ids.reduce(0) { $0 + Self.text(read.users[$1]).count })
      let twins = app.remembered(ids + [nobody])?.count
      let stranger = try #require(UserID(PeerstackID.make(now: now)))
      let strangers = app.remembered(ids + [stranger])?.count
      let none = app.remembered([])?.count
      #expect(twins == nil && strangers == nil && none == 0)
    }
  }

  /// Readers while users change and are put out: each answer is of one moment, and what is read stays as it is.
  @Test("users that change or go meanwhile change nothing", arguments: [64 << 20, 400 << 10])
  func changes(memoryBytes: Int) async throws {
    try await withFixture("remembered_changes_\(memoryBytes)") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let people = try (0..<6).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      let ids = people.map(\.id)
      let (isOver, answers) = (Shared(false), Shared(0))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
          group.addTask {
            var newest = [Int64](repeating: -1, count: ids.count)
            while !isOver.value.withLock({ $0 }), !Task.isCancelled {
              // What the other test put out comes in again.
              _ = try await app.users(ids)
              guard let users = app.remembered(ids) else {
                // Others may have to go on first, who have no thread while this one has it.
                await Task.yield()
                continue
              }
              let before = Self.texts(users)
              await Task.yield()
              guard Self.texts(users) == before else { throw Unexpected("a text has changed while it was read") }
              try Self.check(before, upTo: users.asOf.index, &newest)
              answers.value.withLock { $0 += 1 }
            }
          }
        }
        for var person in people {
          for _ in 0..<5 {
            person = try person.recovered(at: fixture.clock.now)
            #expect(try await app.submit(person.body).isCreated)
            // Strangers take the room of others.
            for _ in 0..<10 { _ = try await app.user(#require(UserID(PeerstackID.make(now: fixture.clock.now)))) }
          }
        }
        isOver.value.withLock { $0 = true }
        try await group.waitForAll()
      }
      #expect(answers.value.withLock { $0 } > 0)
    }
  }

  /// No entry beyond the index of the answer, and nobody with less than before.
  private static func check(_ texts: [[UInt8]], upTo limit: Int64, _ newest: inout [Int64]) throws {
    for (place, text) in texts.enumerated() {
      let entries = try JSONValue.parseStrict([UInt8(ascii: "[")] + text + [UInt8(ascii: "]")]).array ?? []
      guard let last = entries.last?.object?["index"]?.integer else { throw Unexpected("a user without entries") }
      guard last >= newest[place], last <= limit else {
        throw Unexpected("\(last) after \(newest[place]), up to \(limit)")
      }
      newest[place] = last
    }
  }

  @Test("hashes of ids that hardly differ are spread evenly") func hashes() throws {
    var shards = [Int](repeating: 0, count: 32)
    var hashes: Set<UInt32> = []
    for number in 0..<20_000 {
      let digits = String(number, radix: 36)
      let id = try #require(UserID("0mf2k3q9z1" + String(repeating: "0", count: 15 - digits.count) + digits))
      for app: Int32 in [1, 2] {
        let key = MemoryShard.Key(app: app, user: id)
        #expect(key == MemoryShard.Key(app: app, user: id) && key.hash == MemoryShard.Key(app: app, user: id).hash)
        shards[Int(key.spread) % 32] += 1
        hashes.insert(key.hash)
      }
    }
    // Of 40,000 drawn from 2^32 there is less than one pair alike, on the average. 1,250 for each shard, give or take 35.
    #expect(hashes.count > 39_980 && shards.allSatisfy { 1_000...1_500 ~= $0 })
  }
}
