import Synchronization

/// Counts the connections of a server over all its loops. Asked once when a connection comes, and told when it goes.
final class ConnectionCensus: Sendable {
  private struct Counts {
    var total = 0
    var byClient: [PeerAddress.ClientKey: Int] = [:]
  }

  private let limit: Int
  private let limitPerClient: Int
  private let counts = Mutex(Counts())

  init(limit: Int, limitPerClient: Int) {
    self.limit = limit
    self.limitPerClient = limitPerClient
  }

  var total: Int { counts.withLock { $0.total } }

  /// A seat for a connection; nil when there is none left.
  func seat(for client: PeerAddress.ClientKey) -> ConnectionSeat? {
    let hasRoom = counts.withLock { counts in
      guard counts.total < limit, counts.byClient[client, default: 0] < limitPerClient else { return false }
      counts.total += 1
      counts.byClient[client, default: 0] += 1
      return true
    }
    return hasRoom ? ConnectionSeat(self, client) : nil
  }

  fileprivate func leave(_ client: PeerAddress.ClientKey) {
    counts.withLock { counts in
      counts.total -= 1
      let left = counts.byClient[client, default: 1] - 1
      counts.byClient[client] = left > 0 ? left : nil
    }
  }
}

/// The place of one connection in the census, given up with its last reference.
final class ConnectionSeat: Sendable {
  private let census: ConnectionCensus
  private let client: PeerAddress.ClientKey

  fileprivate init(_ census: ConnectionCensus, _ client: PeerAddress.ClientKey) {
    self.census = census
    self.client = client
  }

  deinit { census.leave(client) }
}
