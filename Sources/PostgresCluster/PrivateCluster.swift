import Glibc
import Synchronization

/// A Postgres cluster of our own in a folder, reached by a unix socket only.
///
/// ``start(supervised:)`` makes it if it is not there, adopts one that runs, recovers one that crashed. It runs in a
/// session of its own and outlives a process that is killed; the next start adopts it. Whoever uses it holds a shared
/// lock; ``stop()`` stops it only when nobody else does. Each start and stop is one at a time, across processes.
///
/// The calls wait (a start may take minutes after a crash): not for an event loop.
public final class PrivateCluster: Sendable {
  /// What ``stop()`` did.
  public enum StopOutcome: Sendable, Hashable {
    /// The cluster has been shut down.
    case stopped
    /// Somebody else uses it: it goes on.
    case leftToOthers
    /// It was not running for us.
    case wasNotStarted
  }

  private let configuration: ClusterConfiguration
  private let onEvent: @Sendable (ClusterEvent) -> Void
  private let runner = Mutex<ClusterRunner?>(nil)

  /// A cluster; nothing happens yet. `onEvent` is told, on a thread of the supervision, what happens by itself.
  public init(_ configuration: ClusterConfiguration, onEvent: @escaping @Sendable (ClusterEvent) -> Void = { _ in }) {
    self.configuration = configuration
    self.onEvent = onEvent
  }

  /// The cluster goes on when this object goes without ``stop()``; only its supervision ends.
  deinit { runner.withLock { $0?.endSupervision() } }

  /// Sees to it that the cluster runs and holds the database, and says how to reach it.
  ///
  /// - Parameter supervised: whether to start it again by itself if it dies.
  /// - Throws: ``ClusterError``.
  @discardableResult
  public func start(supervised: Bool = true) throws(ClusterError) -> ClusterConnection {
    try withRunner { runner throws(ClusterError) in
      if runner != nil { throw ClusterError("the cluster has been started already") }
      let layout = try ClusterLayout(configuration)
      try layout.prepare()
      let new = try ClusterRunner(configuration, layout: layout, onEvent: onEvent)
      let connection = try new.start()
      if supervised { try new.beginSupervision() }
      runner = new
      return connection
    }
  }

  /// Ends the use of the cluster; shuts it down if nobody else uses it, and waits until it is.
  @discardableResult
  public func stop() throws(ClusterError) -> StopOutcome {
    try withRunner { runner throws(ClusterError) in
      guard let current = runner.take() else { return .wasNotStarted }
      return try current.stop() ? .stopped : .leftToOthers
    }
  }

  /// Runs `body` with the cluster: for a command that works beside a running server, or starts the cluster for the moment.
  public static func withCluster<T>(
    _ configuration: ClusterConfiguration, _ body: (ClusterConnection) async throws -> T
  ) async throws -> T {
    let cluster = PrivateCluster(configuration)
    let connection = try cluster.start(supervised: false)
    do {
      let value = try await body(connection)
      try cluster.stop()
      return value
    } catch {
      // What the body says matters more than what stopping says.
      _ = try? cluster.stop()
      throw error
    }
  }

  private func withRunner<T>(
    _ body: (inout ClusterRunner?) throws(ClusterError) -> T
  ) throws(ClusterError) -> T {
    // The lock's closure wants a value that may leave it, so the runner is moved out and back by hand.
    var result: Result<T, ClusterError>?
    runner.withLock { runner in
      do throws(ClusterError) { result = .success(try body(&runner)) } catch { result = .failure(error) }
    }
    guard let result else { throw ClusterError("nothing was done") }
    return try result.get()
  }
}
