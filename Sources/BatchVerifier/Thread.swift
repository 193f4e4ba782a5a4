import Glibc

/// A thread that runs one closure, and is joined or detached.
struct Thread {
  /// Carries the closure to the thread.
  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private let handle: pthread_t

  /// Starts a thread; nil if the system has none to give.
  init?(_ body: @escaping @Sendable () -> Void) {
    let work = Unmanaged.passRetained(Work(body))
    var handle = pthread_t()
    let result = pthread_create(
      &handle, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    guard result == 0 else {
      work.release()
      return nil
    }
    self.handle = handle
  }

  /// Waits until the closure has returned.
  func join() {
    pthread_join(handle, nil)
  }

  /// Lets it end by itself.
  func detach() {
    pthread_detach(handle)
  }
}

/// Does asynchronous work from a thread that may block: one of a ``BatchPipeline``, never one that runs tasks.
public func waitFor<Result: Sendable>(_ work: @escaping @Sendable () async -> Result) -> Result {
  let outcome = Monitor<Result?>(nil)
  Task {
    let result = await work()
    outcome.withLock { $0 = result }
  }
  while true {
    if let result = outcome.withLock(when: { $0 != nil }, { $0 }) { return result }
  }
}
