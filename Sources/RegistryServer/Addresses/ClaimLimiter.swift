import KeyRecords
import Synchronization

/// How many claims an address may have accepted within an hour (protocol §5.12, "Rates per address").
///
/// Only accepted claims count: what is refused costs the others nothing, and a repeated claim must be answered as the
/// first time. A place is taken before a claim is judged and given back when it was not accepted, so that claims at the
/// same moment cannot pass the limit together. Each registrar counts for itself, in memory: with several instances an
/// address may have the limit at each.
final class ClaimLimiter: Sendable {
  /// A place in an address's window, to be given back when the claim is not accepted.
  struct Place: Sendable {
    fileprivate let client: IPAddress
    fileprivate let number: UInt64
  }

  fileprivate struct Claim {
    let time: Duration
    let number: UInt64
  }

  fileprivate struct Windows {
    var claims: [IPAddress: [Claim]] = [:]
    var total = 0
    var number: UInt64 = 0
    var lastSweep = Duration.zero
  }

  /// The sliding window.
  static let window = Duration.seconds(3600)
  /// Claims that are remembered of all addresses: about 100 MB at worst. When there are more, further ones wait.
  static let mostClaims = 1_000_000
  /// Addresses are looked through for ended windows at most this often.
  private static let sweepInterval = Duration.seconds(10)

  private let limit: Int
  private let capacity: Int
  private let windows = Mutex(Windows())

  /// - Parameter limit: Accepted claims per address and hour; 0 for no limit.
  init(limit: Int, capacity: Int = ClaimLimiter.mostClaims) {
    self.limit = limit
    self.capacity = capacity
  }

  /// Whether there is a limit at all.
  var isOn: Bool { limit > 0 }

  /// Takes a place, or says after how many seconds there is one.
  ///
  /// - Parameter now: A steady clock.
  func place(for address: IPAddress, at now: Duration) -> Result<Place, RetryAfter> {
    let client = address.client
    return windows.withLock { windows in
      windows.forgetEnded(of: client, at: now)
      if windows.total >= capacity { windows.sweep(at: now, every: Self.sweepInterval) }
      let claims = windows.claims[client] ?? []
      guard claims.count < limit else { return .failure(RetryAfter(until: claims.first?.time, at: now)) }
      guard windows.total < capacity else { return .failure(RetryAfter(until: nil, at: now)) }
      windows.number += 1
      windows.claims[client, default: []].append(Claim(time: now, number: windows.number))
      windows.total += 1
      return .success(Place(client: client, number: windows.number))
    }
  }

  /// How long an address has to wait; nil when it has room.
  func wait(for address: IPAddress, at now: Duration) -> RetryAfter? {
    let client = address.client
    return windows.withLock { windows in
      windows.forgetEnded(of: client, at: now)
      let claims = windows.claims[client] ?? []
      return claims.count < limit ? nil : RetryAfter(until: claims.first?.time, at: now)
    }
  }

  /// Gives a place back: the claim was not accepted.
  func giveBack(_ place: Place) {
    windows.withLock { windows in
      guard let index = windows.claims[place.client]?.firstIndex(where: { $0.number == place.number }) else { return }
      windows.claims[place.client]?.remove(at: index)
      windows.total -= 1
      if windows.claims[place.client]?.isEmpty == true { windows.claims[place.client] = nil }
    }
  }

  /// Seconds to wait, at least one.
  struct RetryAfter: Error, Equatable {
    let seconds: Int64

    init(until first: Duration?, at now: Duration) {
      let left = first.map { $0 + ClaimLimiter.window - now } ?? ClaimLimiter.window
      let (whole, rest) = left.components
      seconds = max(1, whole + (rest > 0 ? 1 : 0))
    }
  }
}

extension ClaimLimiter.Windows {
  fileprivate mutating func forgetEnded(of client: IPAddress, at now: Duration) {
    guard let claims = claims[client], let first = claims.first, first.time <= now - ClaimLimiter.window else { return }
    let kept = claims.filter { $0.time > now - ClaimLimiter.window }
    total -= claims.count - kept.count
    self.claims[client] = kept.isEmpty ? nil : kept
  }

  fileprivate mutating func sweep(at now: Duration, every interval: Duration) {
    guard now - lastSweep >= interval || lastSweep == .zero else { return }
    lastSweep = now
    for client in claims.keys { forgetEnded(of: client, at: now) }
  }
}
