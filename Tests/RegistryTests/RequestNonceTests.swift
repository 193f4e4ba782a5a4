import Cryptography
import KeyRecords
import PeerstackFormat
import Postgres
import Registry
import RegistryAPI
import Testing

/// Nonces of members' requests, which all instances share.
@Suite struct RequestNonceTests {
  private func request(_ nonce: String, at now: Milliseconds, by signer: String = "00mmkyz9poxfflry75hh17erc") throws
    -> AccessRequest
  {
    let draft = Draft([
      "type": "Request", "app": "x", "signer": .text(signer), "method": "GET", "target": "/", "modified": .integer(now),
      "nonce": .text(nonce),
    ])
    return try AccessRequest.read(draft.signedWithoutApprovals(by: SigningKey.generate())).get()
  }

  @Test func ofManyUsesInTwoInstancesOneIsTheFirst() async throws {
    try await withFixture("nonces_race") { fixture in
      let apps = [
        try await fixture.app(in: fixture.registry()), try await fixture.app(in: fixture.registry()),
      ]
      let now = fixture.clock.now
      let requests = try (0..<40).map { try request("nonce \($0)", at: now) }
      let firsts = try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
        for copy in 0..<6 {
          // The other way round in every second copy: batches that lock in opposite orders would block each other.
          for number in copy % 2 == 0 ? Array(0..<40) : Array((0..<40).reversed()) {
            group.addTask { (number, try await apps[copy % 2].useRequestNonce(of: requests[number])) }
          }
        }
        return try await group.reduce(into: [Int: Int]()) { $0[$1.0, default: 0] += $1.1 ? 1 : 0 }
      }
      #expect(firsts == Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, 1) }))
    }
  }

  @Test func signersAndAppsHaveNoncesOfTheirOwn() async throws {
    try await withFixture("nonces_own") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      let now = fixture.clock.now
      let second = try request("n", at: now, by: "00mmkyz9poxfflry75hh17erd")
      #expect(try await app.useRequestNonce(of: request("n", at: now)))
      #expect(try await app.useRequestNonce(of: second))
      #expect(try await !app.useRequestNonce(of: request("n", at: now + 1)))
    }
  }

  @Test func expiredNoncesAreDroppedAndOthersStay() async throws {
    try await withFixture("nonces_expiry") { fixture in
      let app = try await fixture.app(in: fixture.registry())
      let start = fixture.clock.now
      for number in 0..<3 { #expect(try await app.useRequestNonce(of: request("old \(number)", at: start))) }
      // Fresh to an instance whose clock is 5 minutes behind: it has to be known for twice the skew.
      let skew = Limits.clockSkew
      fixture.clock.advance(by: 2 * skew)
      let registry = try await fixture.registry()
      let other = try await fixture.app(in: registry)
      #expect(try await other.useRequestNonce(of: request("new", at: start + 2 * skew)))
      #expect(try await !other.useRequestNonce(of: request("old 0", at: start)))
      fixture.clock.advance(by: 1)
      // The first use of a run cleans up.
      let third = try await fixture.app(in: fixture.registry())
      #expect(try await third.useRequestNonce(of: request("newer", at: start + 2 * skew)))
      try await eventually("the old ones are dropped") {
        try await fixture.sql("select count(*) from request_nonces")[0].int64(0) == 2
      }
      #expect(try await !third.useRequestNonce(of: request("new", at: start + 2 * skew)))
    }
  }

  @Test func withoutTheDatabaseNobodyIsToldThatANonceIsNew() async throws {
    try await withFixture("nonces_stopped") { fixture in
      let registry = try await fixture.registry()
      let app = try await fixture.app(in: registry)
      await registry.stop()
      let late = try request("n", at: fixture.clock.now)
      await #expect(throws: RegistryUnavailable.self) { try await app.useRequestNonce(of: late) }
    }
  }
}
