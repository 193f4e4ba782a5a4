public import Cryptography
public import PeerstackFormat

/// A key of a user, and when and how far it can be trusted (protocol §5.8, §8 "State").
public struct KeyInterval: Sendable, Hashable {
  /// What became of a key.
  public enum Fate: String, Sendable, Hashable {
    /// It is in force.
    case current
    /// Another took its place, or the id ended.
    case retired
    /// It was revoked.
    case revoked
    /// It was brought in by somebody else than the owner: nothing it signed counts.
    case void
  }

  /// The signing key.
  public let publicKey: VerifyingKey
  /// The box key that goes with it.
  public let publicBoxKey: PublicBoxKey
  /// The sequence of the record that brought it in.
  public let sequence: Int64
  /// From when it was in force.
  public let from: Milliseconds
  /// Until when, exclusive; nil while it is in force.
  public internal(set) var until: Milliseconds?
  /// From when it counts as retired for clients, if its records say so.
  public internal(set) var expires: Milliseconds?
  /// What became of it.
  public internal(set) var fate: Fate
  /// From when it may have been in wrong hands.
  public internal(set) var compromised: Milliseconds?

  /// The interval as JSON.
  public var json: JSONValue {
    [
      "publicKey": .text(Base64.encode(publicKey.bytes32)), "publicBoxKey": .text(Base64.encode(publicBoxKey.bytes32)),
      "sequence": .integer(sequence), "from": .integer(from), "until": until.json, "expires": expires.json,
      "fate": .text(fate.rawValue), "compromised": compromised.json,
    ]
  }
}

extension Milliseconds? {
  /// A number, or `null`.
  var json: JSONValue { map { .integer($0) } ?? .null }
}

/// Follows the records of a line and says what became of each key.
struct KeyIntervals {
  /// A boundary that counts (§5.8).
  private struct Boundary {
    let link: Int
    let time: Milliseconds
  }

  private(set) var keys: [KeyInterval] = []
  /// The link that brought each key in.
  private var links: [Int] = []

  init(_ fold: Fold) {
    let line = fold.line
    let (isCovered, boundaries) = Self.boundaries(fold)
    for (position, link) in line.enumerated() { follow(link, at: position, isCovered: isCovered[position]) }
    for boundary in boundaries { mark(boundary) }
  }

  /// From the newest record to the oldest: a covered record's own boundary does not count.
  private static func boundaries(_ fold: Fold) -> (isCovered: [Bool], [Boundary]) {
    var isCovered = Array(repeating: false, count: fold.line.count)
    var boundaries: [Boundary] = []
    var covering: [(time: Milliseconds, rank: Int)] = []
    for (position, link) in fold.line.enumerated().reversed() where link.record.action != .claim {
      let rank = link.rank ?? .max
      isCovered[position] = covering.contains {
        link.effective >= $0.time && (rank > $0.rank || !link.isAboveSigner)
      }
      guard !isCovered[position], link.record.reason == .compromised else { continue }
      let time = link.record.compromised ?? fold.items[link.item].entry.accepted
      boundaries.append(Boundary(link: position, time: time))
      if link.isAboveSigner { covering.append((time, rank)) }
    }
    return (isCovered, boundaries)
  }

  private mutating func follow(_ link: Fold.Link, at position: Int, isCovered: Bool) {
    let record = link.record
    if record.action.bringsKey || record.action.endsKey {
      for index in keys.indices where keys[index].until == nil && (!isCovered || keys[index].fate == .void) {
        keys[index].until = link.effective
        if keys[index].fate == .current { keys[index].fate = record.action == .revoke ? .revoked : .retired }
      }
    }
    if record.action.bringsKey {
      keys.append(
        KeyInterval(
          publicKey: record.publicKey, publicBoxKey: record.publicBoxKey, sequence: record.sequence,
          from: link.effective, fate: isCovered ? .void : .current))
      links.append(position)
    }
    if !isCovered, !record.action.endsKey, let index = keys.lastIndex(where: { $0.publicKey == record.publicKey }) {
      keys[index].expires = record.expires
    }
  }

  private mutating func mark(_ boundary: Boundary) {
    let earlier = keys.indices.filter { links[$0] < boundary.link && keys[$0].fate != .void }
    for index in earlier where index == earlier.last || (keys[index].until.map { $0 > boundary.time } ?? true) {
      keys[index].compromised = min(keys[index].compromised ?? boundary.time, boundary.time)
    }
  }
}
