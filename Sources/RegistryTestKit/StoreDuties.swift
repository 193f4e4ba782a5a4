import Cryptography
import KeyRecords
public import RegistryClient
import Synchronization

/// Checks that a store does what ``RegistryStore`` demands, whichever it is.
///
/// Every store's tests run all of them, each on a store with nothing in it; those on disk also give `reopen`, which
/// closes the store as a crash would and opens it again.
public enum StoreDuties {
  /// A duty that was not done: a sentence for people.
  public struct Failure: Error, CustomStringConvertible {
    /// What went wrong.
    public let description: String
  }

  /// One duty.
  public struct Duty: Sendable, CustomStringConvertible {
    /// What it is about.
    public let description: String
    /// Checks it; `reopen` gives the store as it is after a restart.
    public let check:
      @Sendable (_ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore) async throws -> Void
  }

  /// All duties.
  public static let all = [
    Duty(description: "histories come back, by registrar and user", check: histories),
    Duty(description: "pins are replaced only if they are as expected", check: pins),
    Duty(description: "who waits for changes of pins is told of them, and of no others", check: pinObservers),
    Duty(description: "of racing changes of one pin exactly one is made", check: racingPins),
    Duty(description: "policies and cursors come back, by registrar", check: policiesAndCursors),
    Duty(description: "the quarantine keeps objects by signer, each once", check: quarantine),
    Duty(description: "the quarantine keeps its limits", check: quarantineLimits),
  ]

  private static func require(_ condition: Bool, _ what: String) throws(Failure) {
    if !condition { throw Failure(description: what) }
  }

  private static func user(_ number: Int) -> UserID? { UserID("00mjuohs00aaaaaaaaaaaaa\(10 + number)") }

  private static func users() throws(Failure) -> (UserID, UserID) {
    guard let first = user(1), let second = user(2) else { throw Failure(description: "no user ids") }
    return (first, second)
  }

  private static func pin(_ user: UserID, sequence: Int64) -> Pin {
    let hash = RecordHash(of: [UInt8(truncatingIfNeeded: sequence)])
    return Pin(
      user: user, registrar: "https://one.example", first: RecordHash(of: [1, 2, 3]), sequence: sequence, head: hash,
      incarnation: 3, lastIndex: 9_007_199_254_740_991, asOf: AsOf(index: 7, time: 1_770_000_000_001),
      trust: sequence.isMultiple(of: 2) ? .unverified : .verified)
  }

  @Sendable private static func histories(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    let (one, two) = try users()
    let first = StoredHistory(
      entries: [Array("{\"a\":\"\u{2028}\u{0}\"}".utf8), [0xff, 0x00, 0x0a]], asOf: AsOf(index: 1, time: 2), checked: 3)
    let second = StoredHistory(entries: [], asOf: AsOf(index: 4, time: 5), checked: 6)
    try await store.save([one: first, two: second], from: "r1")
    try await store.save([one: second], from: "r2")
    try await store.save([two: first], from: "r1")
    for store in [store, try await reopen()] {
      let found = try await store.histories(of: [one, two], from: "r1")
      try require(found == [one: first, two: first], "histories are not what was saved last")
      try require(try await store.histories(of: [one, two], from: "r2") == [one: second], "registrars are mixed up")
      try require(try await store.histories(of: [], from: "r1").isEmpty, "nobody was asked for")
    }
  }

  @Sendable private static func pins(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    let (one, two) = try users()
    let (old, new) = (pin(one, sequence: 1), pin(one, sequence: 2))
    let left = try await store.replacePins([
      PinChange(of: one, from: nil, to: old), PinChange(of: two, from: old, to: new),
    ])
    try require(left == [two], "a change was made whose pin was not as expected, or one that was is left")
    try require(try await store.pins(of: [one, two]) == [one: old], "the pin is not what was set")
    try require(try await store.replacePins([PinChange(of: one, from: nil, to: new)]) == [one], "a pin was overwritten")
    var stale = old
    stale.trust = .unverified
    try require(
      try await store.replacePins([PinChange(of: one, from: stale, to: new)]) == [one], "trust is not compared")
    try require(try await store.replacePins([PinChange(of: one, from: old, to: new)]).isEmpty, "a change is left")
    for store in [store, try await reopen()] {
      try require(try await store.pins(of: [one]) == [one: new], "the pin is not what was set last")
      try require(try await store.allPins() == [new], "all pins are not what was set")
    }
    try require(try await store.replacePins([PinChange(of: one, from: new, to: nil)]).isEmpty, "a removal is left")
    try require(try await store.allPins().isEmpty, "a removed pin is there")
  }

  @Sendable private static func pinObservers(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    let (one, two) = try users()
    let told = Mutex<[Set<UserID>]>([])
    store.pinObservers.add { users in told.withLock { $0.append(users) } }
    let pin = pin(one, sequence: 1)
    _ = try await store.replacePins([
      PinChange(of: one, from: nil, to: pin), PinChange(of: two, from: pin, to: nil),
    ])
    try require(told.withLock { $0 } == [[one]], "observers were not told of what was changed, or of what was not")
    _ = try await store.replacePins([PinChange(of: one, from: nil, to: nil)])
    try require(told.withLock { $0 }.count == 1, "observers were told of a change that was not made")
    _ = try await store.replacePins([PinChange(of: one, from: pin, to: nil)])
    try require(told.withLock { $0 } == [[one], [one]], "observers were not told of a removal")
  }

  @Sendable private static func racingPins(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    let (one, _) = try users()
    let racers = 50
    let winners = try await withThrowingTaskGroup(of: Int64?.self) { group in
      for number in 0..<Int64(racers) {
        group.addTask {
          let change = PinChange(of: one, from: nil, to: pin(one, sequence: number))
          return try await store.replacePins([change]).isEmpty ? number : nil
        }
      }
      return try await group.reduce(into: [Int64]()) { if let winner = $1 { $0.append(winner) } }
    }
    try require(winners.count == 1, "\(winners.count) of \(racers) changes from the same pin were made")
    try require(try await store.pins(of: [one])[one]?.sequence == winners.first, "the winner's pin is not there")
  }

  @Sendable private static func policiesAndCursors(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    try require(try await store.policies(from: "r1").isEmpty, "there are policies already")
    try require(try await store.cursor(of: "r1") == nil, "there is a cursor already")
    try await store.savePolicies([[1], [2, 3]], from: "r1")
    try await store.savePolicies([[1], [2, 3], [4]], from: "r1")
    try await store.saveCursor(0, of: "r1")
    try await store.saveCursor(12, of: "r1")
    for store in [store, try await reopen()] {
      try require(try await store.policies(from: "r1") == [[1], [2, 3], [4]], "policies are not what was saved last")
      try require(try await store.policies(from: "r2").isEmpty, "registrars are mixed up")
      try require(try await store.cursor(of: "r1") == 12, "the cursor is not what was saved last")
      try require(try await store.cursor(of: "r2") == nil, "registrars are mixed up")
    }
  }

  @Sendable private static func quarantine(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    let (one, two) = try users()
    let objects = (0..<4).map { number in
      QuarantinedObject(
        text: [UInt8(number), 0xff], signer: number.isMultiple(of: 2) ? one : two, received: Milliseconds(10 - number))
    }
    let limits = QuarantineLimits()
    try require(try await store.quarantine(objects, limits: limits, now: 20) == 0, "objects were dropped")
    try require(try await store.quarantine([objects[0]], limits: limits, now: 20) == 0, "objects were dropped")
    for store in [store, try await reopen()] {
      try require(try await store.quarantinedSigners() == [one, two], "signers are not those of the objects")
      try require(try await store.quarantined(by: [one]) == [objects[2], objects[0]], "not the signer's, oldest first")
    }
    let moved = QuarantinedObject(text: objects[0].text, signer: two, received: 99)
    _ = try await store.quarantine([moved], limits: limits, now: 20)
    try require(try await store.quarantined(by: [one]) == [objects[2]], "an object kept its earlier signer")
    let received = try await store.quarantined(by: [two]).map(\.received)
    try require(received == [7, 9, 10], "an object lost the time when it first came, or its place")
    try await store.release([objects[1].digest, objects[2].digest])
    for store in [store, try await reopen()] {
      try require(try await store.quarantinedSigners() == [two], "released objects are there")
    }
  }

  @Sendable private static func quarantineLimits(
    _ store: any RegistryStore, _ reopen: () async throws -> any RegistryStore
  ) async throws {
    let (one, two) = try users()
    func object(_ number: Int, _ signer: UserID, bytes: Int = 10) -> QuarantinedObject {
      QuarantinedObject(
        text: [UInt8](repeating: UInt8(number), count: bytes), signer: signer, received: Milliseconds(number))
    }
    let limits = QuarantineLimits(count: 5, bytes: 100, countPerSigner: 3, age: 1_000)
    var dropped = try await store.quarantine((1...4).map { object($0, one) }, limits: limits, now: 10)
    try require(dropped == 1, "one signer has more than allowed, or too few")
    try require(try await store.quarantined(by: [one]).map(\.received) == [2, 3, 4], "the oldest was not dropped")
    dropped = try await store.quarantine((5...7).map { object($0, two) }, limits: limits, now: 10)
    try require(dropped == 1, "there are more objects than allowed, or too few")
    try require(
      try await store.quarantined(by: [one, two]).map(\.received) == [3, 4, 5, 6, 7], "not the newest are kept")
    dropped = try await store.quarantine([object(8, one, bytes: 75)], limits: limits, now: 10)
    try require(dropped == 3, "there are more bytes than allowed, or too few")
    try require(try await store.quarantined(by: [one, two]).map(\.received) == [6, 7, 8], "not the newest are kept")
    dropped = try await store.quarantine([object(9, one, bytes: 101)], limits: limits, now: 1_007)
    try require(dropped == 3, "what is too old or too large is kept")
    try require(
      try await store.quarantined(by: [one, two]).map(\.received) == [8], "what is too large drove others out")
  }
}
