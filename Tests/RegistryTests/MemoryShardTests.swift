import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI
import Testing

@testable import Registry

/// The memory of one shard against a plain dictionary.
@Suite("A shard of the memory") struct MemoryShardTests {
  private static let now: Milliseconds = 1_780_000_000_000
  private static let app = AppID("chat.example")

  /// What somebody has after each entry: a claim, and for some rotations, an amendment and a revocation.
  private static func stages(_ number: Int, rules: PolicyRules, from index: Int64) throws -> [UserSnapshot] {
    let app = try #require(app)
    let id = try #require(UserID(PeerstackID.make(now: now)))
    var person = try Person(app: app, now: now, id: id)
    var entries: [JudgedEntry] = []
    var stages: [UserSnapshot] = []
    let count = number % 3 == 0 ? 5 : 1
    for step in 0..<count {
      if step > 0 {
        let time = now + Int64(step)
        person =
          if step == count - 1 { try person.revoked(at: time) } else if step == 2 { try person.amended(at: time) } else
          {
            try person.rotated(at: time)
          }
      }
      let accepted = now + Int64(step)
      let entry = Entry(
        index: index + Int64(step), accepted: accepted, effective: accepted, rank: step == 0 ? nil : 1,
        content: try person.body.submission)
      entries.append(JudgedEntry(stored: StoredEntry(entry), policy: rules))
      stages.append(try #require(UserSnapshot(app: app, id, entries: entries)))
    }
    return stages
  }

  private static func people(_ count: Int) throws -> [[UserSnapshot]] {
    let admins = try #require(Admins(keys: [SigningKey.generate().verifyingKey], threshold: 1))
    let rules = [0, 5].map { PolicyRules(admins: admins, contestWindow: $0) }
    return try (0..<count).map { try stages($0, rules: rules[$0 % 2], from: Int64($0 * 10)) }
  }

  /// Of eight keys each, the hash is the same.
  private static func key(_ user: UserID, _ number: Int) -> MemoryShard.Key {
    MemoryShard.Key(user: user, app: 1, hash: UInt32(number / 8), spread: 0)
  }

  private static func text(_ user: UserSnapshot?) -> [UInt8] {
    Array((user?.entries ?? []).map(\.text).joined(separator: [UInt8(ascii: ",")]))
  }

  private static func isSame(_ left: UserSnapshot?, _ right: UserSnapshot?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return left.app == right.app && left.id == right.id && text(left) == text(right) && left.keyTag == right.keyTag
      && left.stateTag == right.stateTag && left.validUntil == right.validUntil
      && left.entries.map(\.hash) == right.entries.map(\.hash)
      && left.entries.map(\.record) == right.entries.map(\.record)
      && left.entries.map(\.subject) == right.entries.map(\.subject)
      && left.entries.map(\.effective) == right.entries.map(\.effective)
      && left.entries.map(\.accepted) == right.entries.map(\.accepted)
      && left.entries.map(\.rank) == right.entries.map(\.rank)
      && left.judgedEntries.map(\.policy) == right.judgedEntries.map(\.policy)
  }

  /// Who goes over blocks without the lock, and what must be found there however the shard goes on.
  private struct Reader {
    let blocks: [UserBlock?]
    let texts: [[UInt8]]
  }

  /// A shard, and what it was given last of each user.
  private struct Pair: ~Copyable {
    var shard: MemoryShard
    let people: [[UserSnapshot]]
    let keys: [MemoryShard.Key]
    var held: [Int: UserSnapshot?] = [:]
    var numbers: Numbers

    init(budget: Int, people: [[UserSnapshot]], seed: UInt64) {
      shard = MemoryShard(budget: budget)
      self.people = people
      keys = people.enumerated().map { MemoryShardTests.key($1[0].id, $0) }
      numbers = Numbers(seed)
    }

    mutating func anybody() -> Int { Int.random(in: 0..<people.count, using: &numbers) }

    mutating func put(_ number: Int) {
      let stage = Int.random(in: -1..<people[number].count, using: &numbers)
      let user = stage < 0 ? nil : people[number][stage]
      // A newer one stays.
      if shard.has(keys[number]), let old = held[number], old?.lastIndex ?? -1 > user?.lastIndex ?? -1 {
        shard.put(user, for: keys[number])
      } else {
        shard.put(user, for: keys[number])
        held[number] = user
      }
      #expect(shard.bytes <= shard.budget)
    }

    mutating func checkAnybody() {
      let number = anybody()
      guard shard.has(keys[number]), let user = held[number] else {
        #expect(shard.peek(keys[number]) == nil && shard.head(keys[number], through: .max) == nil)
        if case .nothing = shard.look(keys[number]) { return }
        Issue.record("somebody who is not there was found")
        return
      }
      guard case .known(let found) = shard.look(keys[number]) else {
        Issue.record("nobody was found")
        return
      }
      #expect(MemoryShardTests.isSame(found, user))
      let head = shard.head(keys[number], through: user?.lastIndex ?? -1)
      if let user, case .record(let entry) = user.key {
        #expect(head?.recordHash == entry.hash && head?.record == entry.record)
        #expect(shard.head(keys[number], through: user.lastIndex - 1) == nil)
      } else {
        #expect(head == nil)
      }
    }

    mutating func beginReading() -> Reader? {
      // Mostly those who are there.
      let part = Set((0..<20).map { _ in anybody() }).sorted().filter {
        shard.has(keys[$0]) || numbers.next() % 64 == 0
      }
      let index: Int64 = numbers.next() % 4 == 0 ? 300 : .max
      var found = [UserBlock?](repeating: nil, count: keys.count)
      var size = RememberedUsers.Size()
      guard shard.beginReading(keys, part[...], through: index, into: &found, &size) else { return nil }
      let present = part.count { shard.has(keys[$0]) }
      let users = part.map { held[$0] ?? nil }
      #expect(present == part.count && users.allSatisfy { $0?.lastIndex ?? -1 <= index })
      let texts = users.map(MemoryShardTests.text)
      #expect(size.textBytes == texts.reduce(0) { $0 + $1.count })
      #expect(size.entries == users.reduce(0) { $0 + ($1?.entries.count ?? 0) })
      #expect(size.unclaimed == users.count { $0 == nil })
      return Reader(blocks: part.map { found[$0] }, texts: texts)
    }

    /// What takes long to make.
    func checkStates() {
      for (number, user) in held where shard.has(keys[number]) {
        #expect(user?.stateText == shard.peek(keys[number])??.stateText)
      }
    }

    /// The figures are those of a shard that was given nothing but what this one has.
    func checkFigures() {
      var other = MemoryShard(budget: .max)
      for (number, user) in held where shard.has(keys[number]) { other.put(user, for: keys[number]) }
      #expect(shard.bytes == other.bytes && shard.count == other.count)
    }
  }

  @Test(
    "has what was put in last, within its budget, and readers keep what they read", arguments: [1, 2, 3] as [UInt64])
  func likeADictionary(seed: UInt64) throws {
    var pair = Pair(budget: 40_000, people: try Self.people(40), seed: seed)
    var readers: [Reader] = []
    var (begun, refused) = (0, 0)
    for _ in 0..<1_500 {
      switch pair.numbers.next() % 8 {
      case 0..<3: pair.put(pair.anybody())
      case 3..<6: pair.checkAnybody()
      case 6 where readers.count < 3:
        if let reader = pair.beginReading() {
          readers.append(reader)
          begun += 1
        } else {
          refused += 1
        }
      default:
        guard let reader = readers.popLast() else { continue }
        #expect(reader.blocks.map { $0.map { Array($0.text) } ?? [] } == reader.texts)
        pair.shard.endReading()
      }
    }
    pair.checkFigures()
    pair.checkStates()
    #expect(pair.shard.evictions > 50 && pair.shard.hits > 100 && pair.shard.misses > 100 && pair.shard.count > 5)
    #expect(begun > 10 && refused > 10)
  }

  @Test("who was asked for stays; who was not goes first") func clock() throws {
    let people = try Self.people(40).map { $0[0] }
    var shard = MemoryShard(budget: 20_000)
    for (number, user) in people.prefix(5).enumerated() {
      shard.put(user, for: Self.key(user.id, number))
      _ = shard.look(Self.key(user.id, number))
    }
    for (number, user) in people.enumerated().dropFirst(5) { shard.put(user, for: Self.key(user.id, number)) }
    #expect(shard.evictions > 10)
    let kept = people.indices.filter { shard.has(Self.key(people[$0].id, $0)) }
    #expect(kept.prefix(5) == [0, 1, 2, 3, 4])
  }

  @Test("who does not fit is left out, and takes nobody's place") func tooLarge() throws {
    let people = try Self.people(40)
    let claims = people.prefix(3).map { $0[0] }
    var shard = MemoryShard(budget: 5_000)
    for (number, user) in claims.enumerated() { shard.put(user, for: Self.key(user.id, number)) }
    #expect(shard.count == 3)
    // A claim with four more entries takes more than all that there is.
    shard.put(people[3][4], for: Self.key(people[3][4].id, 3))
    #expect(shard.count == 3 && shard.has(Self.key(people[3][4].id, 3)) == false)
    // What memory had of somebody who does not fit any more would be old.
    shard.put(people[0][4], for: Self.key(people[0][4].id, 0))
    #expect(shard.count == 2 && shard.has(Self.key(people[0][4].id, 0)) == false && shard.bytes <= 5_000)
  }

  @Test("nobody begins to read while somebody waits to leave") func leaving() throws {
    let people = try Self.people(4)
    let keys = people.enumerated().map { Self.key($1[0].id, $0) }
    var shard = MemoryShard(budget: 1 << 20)
    for (number, stages) in people.enumerated() { shard.put(stages[0], for: keys[number]) }
    var found = [UserBlock?](repeating: nil, count: 4)
    var size = RememberedUsers.Size()
    #expect(shard.beginReading(keys, [0, 1], through: .max, into: &found, &size) == true)
    let old = try #require(found[0])
    #expect(shard.beginReading(keys, [2], through: .max, into: &found, &size) == true)
    shard.put(people[0][1], for: keys[0])
    #expect(shard.beginReading(keys, [3], through: .max, into: &found, &size) == false)
    shard.endReading()
    #expect(shard.beginReading(keys, [3], through: .max, into: &found, &size) == false)
    #expect(Array(old.text) == people[0][0].entries[0].text)
    shard.endReading()
    #expect(shard.beginReading(keys, [0, 3], through: .max, into: &found, &size) == true)
    #expect(found[0].map { Array($0.text) } == Self.text(people[0][1]))
    shard.endReading()
  }

  @Test("notes of reads are found, added to and ended") func underWay() throws {
    let people = try Self.people(20).map { $0[0] }
    var shard = MemoryShard(budget: 0)
    let fills = people.map { _ in Fill() }
    for (number, user) in people.enumerated() { shard.begin(fills[number], for: Self.key(user.id, number)) }
    for (number, user) in people.enumerated() where number.isMultiple(of: 2) {
      shard.publish(user.judgedEntries, meanwhile: Self.key(user.id, number))
    }
    for (number, user) in people.enumerated() {
      let key = Self.key(user.id, number)
      #expect(shard.fill(of: key) === fills[number])
      guard case .underWay(let fill) = shard.look(key) else { throw Unexpected("no read is under way") }
      #expect(fill === fills[number])
      #expect(shard.published(meanwhile: key).map(\.stored.index) == (number.isMultiple(of: 2) ? [user.lastIndex] : []))
      shard.endFill(of: key)
      #expect(shard.fill(of: key) == nil && shard.published(meanwhile: key).isEmpty)
    }
  }
}

extension UserBlock {
  /// The bytes of the head's record.
  fileprivate var record: [UInt8] { withRecord { $0.withUnsafeBufferPointer { Array($0) } } }
}
