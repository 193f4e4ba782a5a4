import Cryptography
import KeyRecords
import Synchronization

/// Remembers the nonces of members' requests for as long as the requests could be sent again (protocol §8).
///
/// In memory, by digest. With several instances on one database each would take a request once, so a registrar that runs
/// more than one gives ``MemberGate`` a look-up that they share instead.
final class RequestNonces: Sendable {
  private struct Known {
    var digests: Set<Bytes32> = []
    /// In the order of their ends, as far as clocks agree.
    var ends: [(end: Milliseconds, digest: Bytes32)] = []
    var first = 0
  }

  /// Nonces that are remembered: about 60 MB. When there are more within ten minutes, requests are refused.
  static let mostNonces = 500_000

  private let capacity: Int
  private let known = Mutex(Known())

  init(capacity: Int = RequestNonces.mostNonces) { self.capacity = capacity }

  /// What became of a nonce.
  enum Use: Sendable, Equatable {
    /// It was new, and is used from now on.
    case first
    /// It was used before.
    case again
    /// There is no room to remember it.
    case full
  }

  /// Uses a nonce of a request that is good until `end`.
  func use(_ request: AccessRequest, until end: Milliseconds, at now: Milliseconds) -> Use {
    let digest = Self.digest(request)
    return known.withLock { known in
      while known.first < known.ends.count, known.ends[known.first].end < now {
        known.digests.remove(known.ends[known.first].digest)
        known.first += 1
      }
      if known.first > known.ends.count / 2 {
        known.ends.removeFirst(known.first)
        known.first = 0
      }
      guard !known.digests.contains(digest) else { return .again }
      guard known.digests.count < capacity else { return .full }
      known.digests.insert(digest)
      // A request dated ahead ends later than those that come after it: they wait for it, ten minutes at most.
      known.ends.append((end, digest))
      return .first
    }
  }

  /// App and user ids hold no line feed, so that nothing can be shifted from one part to the next.
  private static func digest(_ request: AccessRequest) -> Bytes32 {
    SHA256.hash(Array("\(request.app)\n\(request.signer)\n\(request.nonce)".utf8))
  }
}
