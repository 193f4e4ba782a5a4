import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI
import Synchronization
import Testing

/// What is written straight from rows, with the memory off, is what memory would say.
@Suite struct UnkeptReadingTests {
  @Test(arguments: [0, 64 << 20]) func everyoneGetsTheirOwnEntries(memoryBytes: Int) async throws {
    try await withFixture("unkept_everyone_\(memoryBytes)") { fixture in
      let writer = try await fixture.app(in: fixture.registry())
      // More than one statement reads.
      var people = try (0..<270).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      try await submit(people, to: writer)
      fixture.clock.advance(by: 5)
      for number in [0, 130, 269] {
        people[number] = try people[number].rotated(at: fixture.clock.now)
        #expect(try await writer.submit(people[number].body).isCreated)
      }
      let strangers = try (0..<40).map { _ in try #require(UserID(PeerstackID.make(now: fixture.clock.now))) }
      let app = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      for ids in [people.map(\.id) + strangers, (people.map(\.id) + strangers).shuffled(), strangers, [people[0].id]] {
        let taken = try await app.read(ids) { Taken(asOf: $0) }
        #expect(taken.asOf.index == 273 && taken.unread.isEmpty && taken.count == ids.count)
        #expect(Set(taken.unknown) == Set(strangers).intersection(ids))
        for person in people where ids.contains(person.id) {
          let user = try #require(try await writer.user(person.id))
          #expect(taken.entries[person.id] == user.entries.map(\.text))
          #expect(taken.entries[person.id]?.last.map { $0.contains(person.text) } == true)
        }
      }
    }
  }

  @Test func nobodyIsUnknownForLackOfRoom() async throws {
    try await withFixture("unkept_room") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let people = try (0..<300).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      try await submit(people, to: app)
      let ids = people.map(\.id)
      let taken = try await app.read(ids, byteLimit: 1) { Taken(asOf: $0) }
      #expect(!taken.entries.isEmpty && !taken.unread.isEmpty && taken.unknown.isEmpty)
      #expect(Set(taken.entries.keys).union(taken.unread) == Set(ids) && taken.count == ids.count)
      // What does not travel at once is sent for when there turns out to be room.
      let size = people.reduce(0) { $0 + $1.text.count }
      let all = try await app.read(ids, byteLimit: size + 1) { Taken(asOf: $0) }
      #expect(all.entries.count == ids.count && all.unread.isEmpty && all.recordBytes == size)
    }
  }

  /// Entries that are in the database and not published here: nobody is kept waiting for them, and nobody sees them.
  @Test func whatIsBeyondTheIndexIsLeftOut() async throws {
    try await withFixture("unkept_beyond") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let people = try (0..<3).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      fixture.clock.advance(by: 1)
      let rotation = try people[0].rotated(at: fixture.clock.now)
      #expect(try await app.submit(rotation.body).isCreated)
      let before = try await app.read(people.map(\.id)) { Taken(asOf: $0) }
      try await fixture.sql(
        """
        insert into entries select app, index + 1000, accepted, effective, rank, subject, sha256(hash), '{}'
        from entries where subject is not null
        """)
      try await fixture.sql("update entries set index = 5000 where index = 3")
      let after = try await app.read(people.map(\.id)) { Taken(asOf: $0) }
      #expect(before.asOf.index == 4 && after.asOf.index == 4)
      for person in people[..<2] { #expect(after.entries[person.id] == before.entries[person.id]) }
      #expect(after.entries[people[0].id]?.count == 2)
      #expect(after.unknown == [people[2].id])
    }
  }

  @Test(arguments: [
    "update entries set record = 'no record' where index = 2",
    "update entries set record = '{' where index = 2",
    "update entries set hash = 'short' where index = 2",
    // Of those who have several entries all are read again.
    "update entries set record = set_byte(record, 20, get_byte(record, 20) # 1) where index = 4",
    "update entries set effective = null where index = 2",
  ])
  func aRowThatCannotBeRightFailsAll(_ damage: String) async throws {
    try await withFixture("unkept_damage_\(UInt64.random(in: 0..<UInt64.max))") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let people = try (0..<3).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      fixture.clock.advance(by: 1)
      #expect(try await app.submit(people[2].rotated(at: fixture.clock.now).body).isCreated)
      let ids = people.map(\.id)
      #expect(try await app.read(ids) { Taken(asOf: $0) }.entries.count == 3)
      try await fixture.sql(damage)
      await #expect(throws: RegistryUnavailable.self) { _ = try await app.read(ids) { Taken(asOf: $0) } }
      // Who is whole can still be read.
      #expect(try await app.read([people[0].id]) { Taken(asOf: $0) }.entries.count == 1)
    }
  }

  @Test func withoutTheDatabaseItIsUnavailable() async throws {
    try await withFixture("unkept_away") { fixture in
      let registry = try await fixture.registry(memoryBytes: 0)
      let app = try await fixture.app(in: registry)
      let people = try (0..<300).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      await registry.stop()
      await #expect(throws: RegistryUnavailable.self) { _ = try await app.read(people.map(\.id)) { Taken(asOf: $0) } }
    }
  }

  /// Readers of one instance while it writes: no user and no index ever goes back, and none has an entry beyond it.
  @Test func noReaderGoesBack() async throws {
    try await withFixture("unkept_back") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let other = try await fixture.app(in: fixture.registry())
      let people = try (0..<5).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      let isOver = Shared(false)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          var counts: [UserID: Int] = [:]
          var index: Int64 = 0
          while !isOver.value.withLock({ $0 }) {
            let taken = try await app.read(people.map(\.id)) { Taken(asOf: $0) }
            guard taken.asOf.index >= index, taken.entries.count == people.count else { throw Unexpected("less") }
            index = taken.asOf.index
            for (id, entries) in taken.entries {
              guard entries.count >= counts[id] ?? 0 else { throw Unexpected("a user has gone back") }
              counts[id] = entries.count
            }
            // Nothing but claims and their users' entries, and the policy: all of them up to the index.
            guard counts.values.reduce(0, +) == index else { throw Unexpected("not all entries up to the index") }
          }
        }
        var heads = people
        for step in 0..<20 {
          for number in heads.indices where number % 2 == step % 2 {
            fixture.clock.advance(by: 1)
            heads[number] = try heads[number].recovered(at: fixture.clock.now)
            let outcome = try await (step % 3 == 0 ? other : app).submit(heads[number].body)
            guard outcome.isCreated else { throw Unexpected(outcome) }
          }
        }
        isOver.value.withLock { $0 = true }
        try await group.waitForAll()
      }
    }
  }

  private func submit(_ people: [Person], to app: RegistryApp) async throws {
    try await withThrowingTaskGroup(of: SubmissionOutcome.self) { group in
      for person in people { group.addTask { try await app.submit(person.body) } }
      for try await outcome in group { #expect(outcome.isCreated) }
    }
  }
}

/// Keeps the texts of entries.
private struct Taken: UserSink {
  let asOf: AsOf
  var recordBytes = 0
  var entries: [UserID: [[UInt8]]] = [:]
  var unknown: [UserID] = []
  var unread: [UserID] = []
  /// How often something was taken.
  var count = 0

  init(asOf: AsOf) { self.asOf = asOf }

  mutating func take(_ id: UserID, claim: StoredFacts, record: Span<UInt8>) {
    var text: [UInt8] = []
    claim.appendHead(to: &text)
    record.withUnsafeBufferPointer { text += $0 }
    text.append(UInt8(ascii: "}"))
    entries[id] = [text]
    recordBytes += record.count
    count += 1
  }

  mutating func take(_ user: UserSnapshot) {
    entries[user.id] = user.entries.map(\.text)
    recordBytes += user.entries.reduce(0) { $0 + $1.recordCount }
    count += 1
  }

  mutating func takeUnknown(_ id: UserID) {
    unknown.append(id)
    count += 1
  }

  mutating func takeUnread(_ id: UserID) {
    unread.append(id)
    count += 1
  }
}
