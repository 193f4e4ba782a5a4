import KeyRecords

extension MemoryShard {
  /// What a user is known by in memory.
  struct Key: Equatable {
    let user: UserID
    let app: Int32
    /// Worked out once for everything that is looked up by it.
    let hash: UInt32
    /// As much again of the same hash, by which a shard is chosen.
    let spread: UInt32

    static func == (left: Key, right: Key) -> Bool { left.user == right.user && left.app == right.app }
  }
}

extension MemoryShard.Key {
  init(app: Int32, user: UserID) {
    self.app = app
    self.user = user
    let whole = KeyHash.hash(app: app, user: user)
    hash = UInt32(truncatingIfNeeded: whole >> 32)
    spread = UInt32(truncatingIfNeeded: whole)
  }
}

/// SipHash-1-3 of an app and a user, which is what Swift's own hasher is, without the buffer that it needs for values of any
/// length. Ids are chosen by whoever claims them, so it has a key that is drawn at random for each process.
private struct KeyHash {
  private static let key: (UInt64, UInt64) = (.random(in: 0...(.max)), .random(in: 0...(.max)))

  private var v0, v1, v2, v3: UInt64

  static func hash(app: Int32, user: UserID) -> UInt64 {
    var hash = KeyHash(key)
    let words = user.words
    hash.add(words.0)
    hash.add(words.1)
    hash.add(words.2)
    hash.add(words.3)
    // Every message has the same length, so the length is left out of its last word.
    hash.add(UInt64(UInt32(bitPattern: app)))
    return hash.end()
  }

  private init(_ key: (UInt64, UInt64)) {
    // The constants of SipHash.
    v0 = key.0 ^ 0x736f_6d65_7073_6575
    v1 = key.1 ^ 0x646f_7261_6e64_6f6d
    v2 = key.0 ^ 0x6c79_6765_6e65_7261
    v3 = key.1 ^ 0x7465_6462_7974_6573
  }

  private mutating func add(_ word: UInt64) {
    v3 ^= word
    round()
    v0 ^= word
  }

  private mutating func end() -> UInt64 {
    v2 ^= 0xff
    for _ in 0..<3 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }

  private mutating func round() {
    v0 &+= v1
    v1 = Self.rotate(v1, 13) ^ v0
    v0 = Self.rotate(v0, 32)
    v2 &+= v3
    v3 = Self.rotate(v3, 16) ^ v2
    v0 &+= v3
    v3 = Self.rotate(v3, 21) ^ v0
    v2 &+= v1
    v1 = Self.rotate(v1, 17) ^ v2
    v2 = Self.rotate(v2, 32)
  }

  private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word &<< bits | word &>> (64 &- bits) }
}
