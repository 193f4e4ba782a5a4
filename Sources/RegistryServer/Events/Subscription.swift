import Cryptography
import KeyRecords
import PeerstackFormat

/// The users whose entries a consumer wants (protocol §8, `{"subscribe":[ids]}`).
///
/// Ids are kept as the first half of their hash: ten thousand consumers with the largest message would need gigabytes
/// for the texts, and nobody finds two ids that share 128 bits.
struct Subscription: Sendable {
  private struct Key: Comparable {
    let high: UInt64
    let low: UInt64

    init(_ user: UserID) {
      let bytes = SHA256.hash(Array(user.text.utf8)).bytes
      high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
      low = bytes[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func < (left: Key, right: Key) -> Bool { (left.high, left.low) < (right.high, right.low) }
  }

  private let keys: [Key]

  /// Reads a message; nil for what is none of this. An id must be a user id: nothing else is ever the subject of an entry.
  init?(_ message: [UInt8]) {
    guard let fields = try? JSONValue.parseStrict(message).object, fields.count == 1,
      let elements = fields["subscribe"]?.array
    else { return nil }
    var keys: [Key] = []
    keys.reserveCapacity(elements.count)
    for element in elements {
      guard let user = element.string.flatMap({ UserID($0) }) else { return nil }
      keys.append(Key(user))
    }
    keys.sort()
    self.keys = keys
  }

  /// Whether entries about this user are wanted; nil stands for entries about the app, which never are.
  func wants(_ user: UserID?) -> Bool {
    guard let user else { return false }
    let key = Key(user)
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low < keys.count && keys[low] == key
  }
}
