import CUV
import CWebSockets
import Glibc
import Synchronization

// MARK: - The thread

/// What the new thread is told.
final class ThreadStart {
  let loop: EventLoop
  let outcome: StartOutcome

  init(_ loop: EventLoop, _ outcome: StartOutcome) {
    self.loop = loop
    self.outcome = outcome
  }
}

/// How the start of a thread went.
///
/// `@unchecked Sendable`: the error is written before the semaphore is posted and read after it was waited for.
final class StartOutcome: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  private var error: TransportError?

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func report(_ error: TransportError?) {
    self.error = error
    sem_post(semaphore)
  }

  func wait() -> TransportError? {
    while sem_wait(semaphore) != 0 {}
    return error
  }
}

let loopThread: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  guard let argument else { return nil }
  let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
  start.loop.run(start.outcome)
  return nil
}

extension EventLoop {
  fileprivate func run(_ outcome: StartOutcome) {
    claimThread()
    _ = name.withCString { pthread_setname_np(pthread_self(), $0) }
    do throws(TransportError) {
      try makeContext()
    } catch {
      finish()
      outcome.report(error)
      return
    }
    handles.begin(owner: Unmanaged.passUnretained(self).toOpaque())
    outcome.report(nil)
    while turn() { look() }
    finish()
  }

  private func makeContext() throws(TransportError) {
    var info = lws_context_creation_info()
    info.port = CONTEXT_PORT_NO_LISTEN
    info.options =
      UInt64(LWS_SERVER_OPTION_LIBUV) | UInt64(LWS_SERVER_OPTION_EXPLICIT_VHOSTS)
      | UInt64(LWS_SERVER_OPTION_DISABLE_IPV6)
    info.user = Unmanaged.passUnretained(self).toOpaque()
    info.pt_serv_buf_size = UInt32(EventLoop.librarySharedBufferByteCount)
    info.pcontext = context
    var foreign: UnsafeMutableRawPointer? = UnsafeMutableRawPointer(handles.loop)
    withUnsafeMutablePointer(to: &foreign) { loops in
      info.foreign_loops = loops
      LibraryStart.exclusively {
        descriptorLimit = LibraryStart.currentDescriptorLimit
        context.pointee = lws_create_context(&info)
      }
    }
    guard context.pointee != nil else {
      throw TransportError(
        "make a libwebsockets context", reason: "is its libuv plugin (libwebsockets-evlib-uv) installed?")
    }
    wakeDescriptor = handles.findWakeDescriptor()
    let code = poller.add(handles.descriptor, EPOLLIN.rawValue, key: EventLoop.libraryKey)
    guard code == 0 else { throw TransportError("watch libuv", code: code) }
  }

  /// The key of libuv's descriptor, which no watch has.
  private static let libraryKey = Poller.wakeKey - 1

  /// Bytes that libwebsockets shares between its connections for reading.
  static let librarySharedBufferByteCount = 4096

  /// Adds a vhost, which is a set of protocols, to the context.
  ///
  /// - Parameters:
  ///   - name: A literal, which lives for ever.
  ///   - protocols: A list that lives for ever and ends with an empty element.
  func makeHost(
    _ name: StaticString, protocols: UnsafePointer<lws_protocols>,
    configure: (inout lws_context_creation_info) -> Void = { _ in }
  ) throws(TransportError) -> OpaquePointer {
    precondition(isCurrent)
    var info = lws_context_creation_info()
    info.port = CONTEXT_PORT_NO_LISTEN
    info.vhost_name = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
    info.protocols = protocols
    info.options = UInt64(LWS_SERVER_OPTION_DISABLE_IPV6)
    configure(&info)
    guard let host = lws_create_vhost(context.pointee, &info) else {
      throw TransportError("make the libwebsockets vhost \(name)")
    }
    return host
  }

  /// Destroys everything that lives on this thread, and hands over the jobs that have not run.
  private func finish() {
    isTearingDown = true
    timers.removeAll()
    endOfTurn.removeAll()
    let watched = watches.all
    for watch in watched { watch.end() }
    let isWhole = destroyContext()
    let left = mail.withLock { mail in
      mail.phase = .ended
      defer { mail.errands = [] }
      return errands + mail.errands
    }
    errands = []
    handles.close(waitingForOthers: isWhole)
    if isWhole {
      // On a loop that is not its own, libwebsockets destroys in two steps, with a run of the loop in between.
      if let context = context.pointee { LibraryStart.exclusively { lws_context_destroy(context) } }
      handles.destroy()
    }
    for case .job(let job) in left { globalConcurrentExecutor.enqueue(job) }
  }

  /// The first step of the end of the context. False when the second must not be taken.
  private func destroyContext() -> Bool {
    guard let context = context.pointee else { return true }
    return LibraryStart.exclusively {
      lws_context_destroy(context)
      return wakeDescriptor.map(handles.protect) ?? true
    }
  }
}

// MARK: - A turn

extension EventLoop {
  /// Runs before each wait for descriptors: everything that the last events, timers and other threads left to do. False
  /// when the loop is to end.
  fileprivate func turn() -> Bool {
    for _ in 0..<EventLoop.mostRoundsPerTurn {
      if hasMail { takeMail() }
      runErrands()
      runEndOfTurn()
      if errands.isEmpty, endOfTurn.isEmpty { return !isStopping }
    }
    poller.wake()
    return !isStopping
  }

  /// Waits for descriptors and timers, and tells those whom they concern.
  fileprivate func look() {
    poller.wait(handles.timeout)
    handles.updateTime()
    var isLibraryReady = false
    for index in 0..<poller.count {
      let event = poller.event(at: index)
      switch event.key {
      case Poller.wakeKey: hasMail = true
      case EventLoop.libraryKey: isLibraryReady = true
      default: tell(event)
      }
    }
    if isLibraryReady || handles.timeout == 0 { handles.runOnce() }
  }

  private func takeMail() {
    hasMail = false
    let phase = mail.withLock { mail in
      mail.isWoken = false
      if errands.isEmpty {
        swap(&errands, &mail.errands)
      } else if !mail.errands.isEmpty {
        errands.append(contentsOf: mail.errands)
        mail.errands.removeAll(keepingCapacity: true)
      }
      return mail.phase
    }
    if phase == .stopping { isStopping = true }
  }

  private func runErrands() {
    guard !errands.isEmpty else { return }
    var batch: [Errand] = []
    swap(&batch, &errands)
    let serial = asUnownedSerialExecutor()
    let executor = asUnownedTaskExecutor()
    for errand in batch {
      switch errand {
      case .job(let job): job.runSynchronously(isolatedTo: serial, taskExecutor: executor)
      case .work(let work): work()
      }
    }
    // The emptied array goes back, for its capacity.
    if errands.isEmpty {
      batch.removeAll(keepingCapacity: true)
      swap(&batch, &errands)
    }
  }

  private func runEndOfTurn() {
    guard !endOfTurn.isEmpty else { return }
    let batch = endOfTurn
    endOfTurn.removeAll(keepingCapacity: true)
    for work in batch { work() }
  }
}

// MARK: - Timers

extension EventLoop {
  /// Makes the one timer of libuv ring when the first of ours is due.
  func armTimer() {
    guard let first = timers.first else {
      handles.stopTimer()
      return
    }
    let now = handles.milliseconds
    handles.startTimer(after: first.due > now ? first.due - now : 0) { handle in
      if let handle, let owner = handle.pointee.data {
        Unmanaged<EventLoop>.fromOpaque(owner).takeUnretainedValue().fireTimers()
      }
    }
  }

  func forget(_ timer: Timer) {
    precondition(isCurrent)
    let wasFirst = timers.first === timer
    timers.remove(timer)
    if wasFirst, !isTearingDown { armTimer() }
  }

  private func fireTimers() {
    let now = handles.milliseconds
    let newest = timerNumber
    // A timer that is set by one of these waits for the next look at the descriptors, even if it is due at once.
    while let first = timers.first, first.due <= now, first.number <= newest {
      timers.remove(first)
      first.fire()
    }
    armTimer()
  }
}
