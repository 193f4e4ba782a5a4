import Glibc
import Postgres
import Synchronization

/// A loop of poll(2) on a thread of its own, for tests.
///
/// `@unchecked Sendable`: `mail` is behind a lock, the rest belongs to the loop's thread.
package final class TestLoop: PostgresLoop, @unchecked Sendable {
  package final class Watch: PostgresWatch {
    let descriptor: Int32
    let onReadable: () -> Void
    let onWritable: () -> Void
    var wantsWritable = false
    var isCancelled = false

    init(_ descriptor: Int32, _ onReadable: @escaping () -> Void, _ onWritable: @escaping () -> Void) {
      self.descriptor = descriptor
      self.onReadable = onReadable
      self.onWritable = onWritable
    }

    package func requestWritable() { wantsWritable = true }
    package func cancel() { isCancelled = true }
  }

  package final class Timer: PostgresTimer {
    let deadline: ContinuousClock.Instant
    var work: (() -> Void)?
    init(_ deadline: ContinuousClock.Instant, _ work: @escaping () -> Void) {
      self.deadline = deadline
      self.work = work
    }
    package func cancel() { work = nil }
  }

  private struct Mail {
    var jobs: [UnownedJob] = []
    var work: [@Sendable () -> Void] = []
    var isWoken = false
    var isStopping = false
  }

  private let mail = Mutex(Mail())
  private var wakeEnds: [Int32] = [0, 0]
  private var thread = pthread_t()
  private var watches: [Watch] = []
  private var timers: [Timer] = []
  private var endOfTurn: [() -> Void] = []

  package init() {
    pipe(&wakeEnds)
    for end in wakeEnds { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    mail.withLock { _ in
      // The thread reads `thread` only once it has had this lock.
      _ = pthread_create(&thread, nil, loopEntry, Unmanaged.passRetained(self).toOpaque())
    }
  }

  package var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    post { $0.jobs.append(job) }
  }

  package func execute(_ work: @escaping @Sendable () -> Void) { post { $0.work.append(work) } }

  package func watch(
    fileDescriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
  ) throws -> Watch {
    precondition(isCurrent)
    let watch = Watch(dup(fileDescriptor), onReadable, onWritable)
    watches.append(watch)
    return watch
  }

  package func atEndOfTurn(_ work: @escaping () -> Void) {
    precondition(isCurrent)
    endOfTurn.append(work)
  }

  package func schedule(after delay: Duration, _ work: @escaping () -> Void) -> Timer {
    precondition(isCurrent)
    let timer = Timer(.now + delay, work)
    timers.append(timer)
    return timer
  }

  package func stop() {
    post { $0.isStopping = true }
    pthread_join(thread, nil)
  }

  private func post(_ change: (inout Mail) -> Void) {
    let mustWake = mail.withLock { mail in
      change(&mail)
      defer { mail.isWoken = true }
      return !mail.isWoken
    }
    if mustWake {
      var byte: UInt8 = 0
      _ = write(wakeEnds[1], &byte, 1)
    }
  }

  fileprivate func run() {
    while mail.withLock({ !$0.isStopping }) {
      drain()
      while !endOfTurn.isEmpty {
        let work = endOfTurn
        endOfTurn = []
        for item in work { item() }
        drain()
      }
      wait()
      fireTimers()
    }
    drain()
    for watch in watches { close(watch.descriptor) }
  }

  private func drain() {
    while true {
      let (jobs, work) = mail.withLock { mail in
        defer {
          mail.jobs = []
          mail.work = []
          mail.isWoken = false
        }
        return (mail.jobs, mail.work)
      }
      if jobs.isEmpty && work.isEmpty { return }
      for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
      for item in work { item() }
    }
  }

  private func wait() {
    for watch in watches where watch.isCancelled { close(watch.descriptor) }
    watches.removeAll(where: \.isCancelled)
    timers.removeAll { $0.work == nil }
    let next = timers.map(\.deadline).min()
    let left = next.map { max(0, ($0 - .now) / .milliseconds(1)) } ?? 1000
    var entries = [pollfd(fd: wakeEnds[0], events: Int16(POLLIN), revents: 0)]
    let current = watches
    for watch in current {
      let events = POLLIN | (watch.wantsWritable ? POLLOUT : 0)
      entries.append(pollfd(fd: watch.descriptor, events: Int16(events), revents: 0))
    }
    guard poll(&entries, nfds_t(entries.count), Int32(left.rounded(.up))) > 0 else { return }
    var scratch = [UInt8](repeating: 0, count: 64)
    while read(wakeEnds[0], &scratch, scratch.count) > 0 {}
    for (watch, entry) in zip(current, entries.dropFirst()) {
      if !watch.isCancelled && Int32(entry.revents) & POLLOUT != 0 {
        watch.wantsWritable = false
        watch.onWritable()
      }
      if !watch.isCancelled && Int32(entry.revents) & (POLLIN | POLLHUP | POLLERR) != 0 { watch.onReadable() }
    }
  }

  private func fireTimers() {
    let due = timers.filter { $0.deadline <= .now }
    for timer in due {
      let work = timer.work.take()
      work?()
    }
  }
}

private let loopEntry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<TestLoop>.fromOpaque(argument).takeRetainedValue().run() }
  return nil
}
