public import KeyRecords
import Synchronization

/// Who is told, within the process, that pins in a store have changed.
public final class PinObservers: Sendable {
  /// Told of the users whose pins are others now, or gone.
  public typealias Observer = @Sendable (Set<UserID>) -> Void

  private let observers = Mutex<[Observer]>([])

  /// Nobody yet.
  public init() {}

  /// Adds one, for as long as the store is there.
  public func add(_ observer: @escaping Observer) { observers.withLock { $0.append(observer) } }

  /// Tells them all: what a store does before a call that has changed pins returns.
  public func tell(_ users: Set<UserID>) {
    guard !users.isEmpty else { return }
    for observer in observers.withLock({ $0 }) { observer(users) }
  }
}
