import CPostgres
import Glibc

/// Makes a connection on a thread of its own.
///
/// libpq's non-blocking connect still looks names up and computes SCRAM keys (thousands of hashes) in place, which would
/// hold up everything else on a loop; so the loop is given a connection that is ready.
struct ConnectAttempt: Sendable {
  let configuration: PostgresConfiguration

  /// Runs the attempt; `completion` is called once, on the attempt's thread (or at once if no thread can be had).
  func start(_ completion: @escaping @Sendable (Result<ConnectionHandle, PostgresError>) -> Void) {
    let isStarted = startThread {
      completion(Result { () throws(PostgresError) in try connect(isPipelined: true) })
    }
    if !isStarted { completion(.failure(PostgresError(.unavailable, "no thread to connect to postgres with"))) }
  }

  /// Connects, and waits until it is done or the connect timeout has passed.
  func connect(isPipelined: Bool) throws(PostgresError) -> ConnectionHandle {
    let deadline = ContinuousClock.now + configuration.connectTimeout
    guard let pointer = startConnecting() else {
      throw PostgresError(.unavailable, "no memory for a connection to postgres")
    }
    let handle = ConnectionHandle(owning: pointer)
    cpostgres_silence_notices(pointer)
    var next = PGRES_POLLING_WRITING
    while next != PGRES_POLLING_OK {
      guard PQstatus(pointer) != CONNECTION_BAD, next != PGRES_POLLING_FAILED else {
        throw PostgresError(.unavailable, "cannot connect to \(configuration): \(handle.complaint)")
      }
      try wait(for: next == PGRES_POLLING_READING ? POLLIN : POLLOUT, on: PQsocket(pointer), until: deadline)
      next = PQconnectPoll(pointer)
    }
    if isPipelined {
      guard PQsetnonblocking(pointer, 1) == 0, PQenterPipelineMode(pointer) == 1 else {
        throw PostgresError(.unavailable, "cannot pipeline to \(configuration): \(handle.complaint)")
      }
    }
    return handle
  }

  /// What comes before `dbname` gives way to what `conninfo` (passed as `dbname`) says; what comes after does not.
  private var parameters: [(String, String)] {
    var parameters = [
      ("fallback_application_name", configuration.applicationName),
      ("keepalives", "1"), ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "30000"),
      ("gssencmode", "disable"),
      ("dbname", configuration.conninfo),
      ("client_encoding", "UTF8"),
    ]
    if let password = configuration.password { parameters.append(("password", password)) }
    return parameters
  }

  private func startConnecting() -> OpaquePointer? {
    var copies = parameters.flatMap { [strdup($0.0), strdup($0.1)] }
    defer {
      for copy in copies { free(copy) }
      copies = []
    }
    guard !copies.contains(nil) else { return nil }
    let keywords = stride(from: 0, to: copies.count, by: 2).map { UnsafePointer(copies[$0]) } + [nil]
    let values = stride(from: 1, to: copies.count, by: 2).map { UnsafePointer(copies[$0]) } + [nil]
    return PQconnectStartParams(keywords, values, 1)
  }

  private func wait(
    for events: Int32, on descriptor: Int32, until deadline: ContinuousClock.Instant
  ) throws(PostgresError) {
    while true {
      let left = (deadline - ContinuousClock.now).wholeMilliseconds
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let ready = left > 0 ? poll(&entry, 1, Int32(clamping: left)) : 0
      if ready > 0 { return }
      if ready < 0 && errno == EINTR { continue }
      throw PostgresError(.unavailable, "cannot connect to \(configuration): no answer in time")
    }
  }
}

/// Runs `body` on a new thread that takes no signals; false if the system has none to give.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  let box = Unmanaged.passRetained(ThreadBody(body))
  var thread = pthread_t()
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  defer { pthread_attr_destroy(&attributes) }
  // A new thread inherits the mask: signals stay with the threads that expect them.
  var all = sigset_t()
  var previous = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &previous)
  let status = pthread_create(&thread, &attributes, threadEntry, box.toOpaque())
  pthread_sigmask(SIG_SETMASK, &previous, nil)
  if status != 0 { box.release() }
  return status == 0
}

private final class ThreadBody {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private let threadEntry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().body() }
  return nil
}
