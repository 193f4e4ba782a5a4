/// A descriptor that a ``PostgresLoop`` watches.
public protocol PostgresWatch {
  /// Asks for one call of `onWritable`, as soon as the descriptor takes bytes. On the loop only.
  func requestWritable()
  /// Ends the watch; no callback comes afterwards. On the loop only.
  func cancel()
}

/// A timer that a ``PostgresLoop`` has been asked for.
public protocol PostgresTimer {
  /// Ends the timer; its work does not run afterwards. Does nothing when it has run. On the loop only.
  func cancel()
}

/// The event loop that carries connections to Postgres: one thread, which is also a task executor.
///
/// This module drives libpq by readiness and owns no thread on the query path, so that an answer resumes on the thread
/// that asked. The protocol keeps it free of any transport: an application makes its own loop conform.
public protocol PostgresLoop: AnyObject, TaskExecutor, Sendable {
  /// What ``watch(fileDescriptor:onReadable:onWritable:)`` gives.
  associatedtype Watch: PostgresWatch
  /// What ``schedule(after:_:)`` gives.
  associatedtype Timer: PostgresTimer

  /// Whether the calling thread is this loop's.
  var isCurrent: Bool { get }

  /// Runs `work` on the loop, soon. From any thread.
  func execute(_ work: @escaping @Sendable () -> Void)

  /// Watches a descriptor, readable by level (called again as long as bytes wait), writable only where asked for.
  ///
  /// The loop watches a duplicate: the caller may close its own descriptor before it cancels. On the loop only.
  func watch(
    fileDescriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
  ) throws -> Watch

  /// Runs `work` once at the end of this turn, after all that this turn's events caused. On the loop only.
  func atEndOfTurn(_ work: @escaping () -> Void)

  /// Runs `work` once after a while. On the loop only.
  func schedule(after delay: Duration, _ work: @escaping () -> Void) -> Timer
}
