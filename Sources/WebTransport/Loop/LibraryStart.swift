import Glibc
import Synchronization

/// What must be done once per process before libwebsockets makes a context, and one context at a time.
///
/// Making and destroying contexts loads and unloads the libuv plugin; libwebsockets promises nothing about doing that on
/// two threads at once.
enum LibraryStart {
  /// Descriptors the process may have. libwebsockets keeps two tables of this length per loop (16 bytes each), and falls
  /// back to 2560 when the limit is beyond 10 million, as container engines set it.
  static let descriptorLimit: rlim_t = 65_536

  private static let isPrepared = Mutex(false)

  /// Runs `body` while no other thread makes or destroys a context.
  static func exclusively<Result>(_ body: () throws -> sending Result) rethrows -> sending Result {
    try isPrepared.withLock { isPrepared in
      if !isPrepared {
        isPrepared = true
        LibraryLog.takeOver()
        setDescriptorLimit()
        // A peer that has gone is an error of the write, not the end of the process. libwebsockets wants it so too.
        signal(SIGPIPE, SIG_IGN)
      }
      return try body()
    }
  }

  private static func setDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, descriptorLimit)
    // Refused only if the kernel changed its mind about our own hard limit; then the old limit stays, which is safe.
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// How many descriptors a context made now can watch: the numbers below this one.
  static var currentDescriptorLimit: Int32 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    return Int32(clamping: limit.rlim_cur)
  }
}
