import KeyRecords
import PeerstackFormat
import PostgresTestSupport
import RegistryAPI
import Synchronization
import Testing

@testable import Registry

/// Misses of one loop, which are read together.
@Suite struct GroupedReadsTests {
  /// What `readKey` says of users who are asked for in one turn of the loop, in their order; nil where it takes nothing on.
  private func readKeys(
    _ ids: [UserID], of app: RegistryApp, on loop: TestLoop
  ) async -> [Result<StoredEntry?, RegistryUnavailable>?] {
    let found = Shared([Result<StoredEntry?, RegistryUnavailable>?](repeating: nil, count: ids.count))
    return await withCheckedContinuation { continuation in
      let left = Shared(ids.count + 1)
      @Sendable func count() {
        let isLast = left.value.withLock { left in
          left -= 1
          return left == 0
        }
        if isLast { continuation.resume(returning: found.value.withLock { $0 }) }
      }
      loop.execute {
        for (number, id) in ids.enumerated() {
          let isTakenOn = app.readKey(id) { result in
            if !loop.isCurrent { Issue.record("not on the loop") }
            found.value.withLock { found in
              if found[number] != nil { Issue.record("told twice") }
              found[number] = result
            }
            count()
          }
          if !isTakenOn { count() }
        }
        count()
      }
    }
  }

  @Test(arguments: [0, 64 << 20]) func oneStatementReadsWhatIsAskedForInOneTurn(memoryBytes: Int) async throws {
    try await withFixture("group_turn_\(memoryBytes)") { fixture in
      let writer = try await fixture.app(in: fixture.registry())
      let people = try (0..<8).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await writer.submit(person.body).isCreated) }
      let app = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let loop = fixture.readLoop
      let unclaimed = try (0..<60).map { _ in try #require(UserID(PeerstackID.make(now: fixture.clock.now))) }
      let fills = await withCheckedContinuation { (continuation: CheckedContinuation<[Fill], Never>) in
        loop.execute {
          guard let group = app.reading.group else { return continuation.resume(returning: []) }
          // A user who is asked for twice takes one place.
          let ids = people.map(\.id) + [people[0].id] + unclaimed
          continuation.resume(returning: ids.map { group.read($0) })
        }
      }
      #expect(fills.count == 69)
      #expect(fills.prefix(51).allSatisfy { $0 === fills[0] } && fills[51] !== fills[0])
      #expect(fills[51...].allSatisfy { $0 === fills[51] })
      for (fill, person) in zip(fills, people) {
        #expect(try await fill.outcome().user(person.id)?.headRecord == person.text)
      }
      #expect(try await fills[68].outcome().user(unclaimed[59]) == nil)
      // What has been read stays in memory, and is not read again.
      let found = await readKeys(people.map(\.id), of: app, on: loop)
      for (result, person) in zip(found, people) {
        #expect(memoryBytes > 0 ? result == nil : try result?.get()?.record == person.text)
      }
    }
  }

  @Test func whatIsNoPlainRecordIsLeftToOthers() async throws {
    try await withFixture("group_plain") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: 0))
      let people = try (0..<3).map { _ in try Person(app: fixture.app, now: fixture.clock.now, delay: 60_000) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      fixture.clock.advance(by: 1)
      #expect(try await app.submit(people[1].revoked(at: fixture.clock.now).body).isCreated)
      // Pending: time changes it.
      #expect(try await app.submit(people[2].recovered(at: fixture.clock.now).body).isCreated)
      let unclaimed = try #require(UserID(PeerstackID.make(now: fixture.clock.now)))
      let found = await readKeys(people.map(\.id) + [unclaimed], of: app, on: fixture.readLoop)
      #expect(try found[0]?.get()?.record == people[0].text)
      for result in found[1...] {
        let entry = try #require(result).get()
        #expect(entry == nil)
      }
      // Off the loops there is nobody to call.
      #expect(app.readKey(people[0].id) { _ in Issue.record("called") } == false)
    }
  }

  @Test(arguments: [0, 16 << 10]) func nobodyReadsWhatWasBeforeTheirWrite(memoryBytes: Int) async throws {
    try await withFixture("group_back_\(memoryBytes)") { fixture in
      let app = try await fixture.app(in: fixture.registry(memoryBytes: memoryBytes))
      let people = try (0..<4).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for person in people {
          group.addTask {
            var person = person
            for _ in 0..<20 {
              person = try person.recovered(at: fixture.clock.now)
              let outcome = try await app.submit(person.body)
              guard outcome.isCreated else { throw Unexpected(outcome) }
              // Others ask for the same users all the time, on both loops.
              for loop in [fixture.readLoop, fixture.loop] {
                let found = await readKeys(people.map(\.id) + [person.id], of: app, on: loop)
                guard let own = found[people.count] else { continue }
                guard try own.get()?.record == person.text else { throw Unexpected("an own write was not read") }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await fixture.differences() == [])
    }
  }

  @Test func whoWaitsWhenTheRegistryStopsIsTold() async throws {
    try await withFixture("group_stop") { fixture in
      let registry = try await fixture.registry(memoryBytes: 0)
      let app = try await fixture.app(in: registry)
      let people = try (0..<8).map { _ in try Person(app: fixture.app, now: fixture.clock.now) }
      for person in people { #expect(try await app.submit(person.body).isCreated) }
      async let reading = readKeys(people.map(\.id), of: app, on: fixture.readLoop)
      await registry.stop()
      let late = await readKeys(people.map(\.id), of: app, on: fixture.readLoop)
      for (result, person) in zip(await reading, people) {
        // Read before the stop, or not at all.
        if case .success(let entry)? = result { #expect(entry?.record == person.text) } else { #expect(result != nil) }
      }
      for result in late {
        guard case .failure? = result else { throw Unexpected("an answer without connections") }
      }
    }
  }
}
