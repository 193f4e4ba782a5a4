import Glibc
import Synchronization

/// Waits for SIGTERM or SIGINT.
///
/// The handler only writes the signal's number to a pipe, which is all that is safe in one; a thread reads it.
struct ShutdownSignal {
  private let readEnd: Int32

  /// Takes the signals from now on. Writing to a closed socket must not end the program either.
  static func install() throws -> ShutdownSignal {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw CommandFailure("cannot make a pipe for signals") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    writeEnd.store(ends[1], ordering: .releasing)
    signal(SIGPIPE, SIG_IGN)
    signal(SIGTERM, noteSignal)
    signal(SIGINT, noteSignal)
    return ShutdownSignal(readEnd: ends[0])
  }

  /// Whether a signal comes within a time, for which it blocks; ``wait()`` still has it then.
  func comes(within time: Duration) -> Bool {
    var entry = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, Int32(clamping: Int64(time / .milliseconds(1)))) > 0
  }

  /// The name of the signal that came. A second one ends the program at once.
  func wait() async -> String {
    await withCheckedContinuation { continuation in
      let readEnd = readEnd
      let waiter = Waiter {
        var number: UInt8 = 0
        while read(readEnd, &number, 1) < 0 && errno == EINTR {}
        signal(SIGTERM, SIG_DFL)
        signal(SIGINT, SIG_DFL)
        continuation.resume(returning: Int32(number) == SIGINT ? "SIGINT" : "SIGTERM")
      }
      var thread = pthread_t()
      guard pthread_create(&thread, nil, runWaiter, Unmanaged.passRetained(waiter).toOpaque()) == 0 else {
        continuation.resume(returning: "no thread")
        return
      }
      pthread_detach(thread)
    }
  }
}

private final class Waiter {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}

private let runWaiter: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<Waiter>.fromOpaque(argument).takeRetainedValue().body() }
  return nil
}

private let writeEnd = Atomic<Int32>(-1)

private let noteSignal: @convention(c) (Int32) -> Void = { number in
  var byte = UInt8(truncatingIfNeeded: number)
  _ = write(writeEnd.load(ordering: .acquiring), &byte, 1)
}
