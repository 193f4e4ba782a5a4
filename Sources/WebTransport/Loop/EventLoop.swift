import CUV
import CWebSockets
import Glibc
import HTTPFormat
import Synchronization

/// One thread that waits for descriptors, timers and other threads, and runs Swift tasks.
///
/// It carries one libwebsockets context on a libuv loop, and is a task executor: a task that prefers it, or an actor
/// that takes it as its executor, runs on the thread on which its connections live. So a handler needs no lock and no hop.
///
/// What is marked *on the loop only* is checked: elsewhere it is a fault of the program and stops it.
///
/// `@unchecked Sendable`: `mail` is behind a lock and `threadID` is atomic. Everything else is written before the thread
/// starts or belongs to that thread, and every way to it checks `isCurrent`.
public final class EventLoop: TaskExecutor, SerialExecutor, @unchecked Sendable {
  /// Something to do on the loop, in the order in which it came.
  enum Errand {
    case job(UnownedJob)
    case work(@Sendable () -> Void)
  }

  struct Mail {
    var errands: [Errand] = []
    var isWoken = false
    var phase = Phase.running
  }

  enum Phase {
    case running
    case stopping
    case ended
  }

  /// The name of the thread, at most 15 characters of it.
  public let name: String
  let mail = Mutex(Mail())
  private let threadID = Atomic<pthread_t>(0)
  private let thread = Mutex<pthread_t?>(nil)

  /// Of the loop's thread, but for `wake`.
  let poller: Poller

  // Of the loop's thread alone:
  let handles: LoopHandles
  /// Where libwebsockets keeps the pointer to its context; nil without one.
  let context = UnsafeMutablePointer<OpaquePointer?>.allocate(capacity: 1)
  var wakeDescriptor: LoopHandles.WakeDescriptor?
  var watches = Watches()
  /// The vhost of WebSockets that clients have opened; nil before the first server.
  var webSocketHost: OpaquePointer?
  /// The connection that is being handed to libwebsockets, which asks for it in a callback.
  var webSocketInHandover: WebSocketConnection?
  var descriptorLimit: Int32 = 0
  var errands: [Errand] = []
  var endOfTurn: [() -> Void] = []
  var timers = TimerQueue()
  var timerNumber: UInt64 = 0
  /// Whether the loop was woken since it last looked at `mail`; whoever puts something there wakes it.
  var hasMail = true
  var isStopping = false
  var isTearingDown = false
  private var dateLookMilliseconds = UInt64.max
  private var dateSecond = -1
  private var dateBytes: [UInt8] = []
  /// Where connections receive; its contents mean nothing between two reads.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: EventLoop.scratchByteCount, alignment: 16)

  /// Most bytes that one read takes.
  static let scratchByteCount = 65_536
  /// How often work that begets work is followed before descriptors are looked at again.
  static let mostRoundsPerTurn = 32

  private init(name: String) throws {
    self.name = name
    poller = try Poller()
    handles = try LoopHandles()
    context.initialize(to: nil)
  }

  deinit {
    scratch.deallocate()
    context.deallocate()
  }

  /// A running loop.
  ///
  /// - Parameter name: The name of its thread.
  public static func start(name: String) throws -> EventLoop {
    let loop = try EventLoop(name: name)
    let outcome = StartOutcome()
    let argument = Unmanaged.passRetained(ThreadStart(loop, outcome))
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, loopThread, argument.toOpaque())
    guard code == 0 else {
      argument.release()
      loop.handles.close(waitingForOthers: true)
      loop.handles.destroy()
      throw TransportError("start the thread \(name)", code: code)
    }
    if let error = outcome.wait() {
      pthread_join(thread, nil)
      throw error
    }
    loop.thread.withLock { $0 = thread }
    return loop
  }

  /// Ends the loop and waits for its thread. From any thread but the loop's.
  ///
  /// Connections and watches that are still there are closed without a word, timers and work that has not run are
  /// dropped: whoever uses the loop finishes first. Tasks go on elsewhere.
  public func stop() {
    precondition(!isCurrent, "a loop cannot wait for itself")
    post { $0.phase = $0.phase == .running ? .stopping : $0.phase }
    if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
  }

  // MARK: - From any thread

  /// Whether the calling thread is this loop's.
  public var isCurrent: Bool { pthread_self() == threadID.load(ordering: .relaxed) }

  /// Runs `work` on the loop, soon. From any thread; dropped once the loop has ended.
  public func execute(_ work: @escaping @Sendable () -> Void) {
    if isCurrent {
      errands.append(.work(work))
    } else {
      post { $0.errands.append(.work(work)) }
    }
  }

  /// Runs a job of a task. From any thread; once the loop has ended, jobs run on the global executor.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      errands.append(.job(job))
    } else if !post({ $0.errands.append(.job(job)) }) {
      globalConcurrentExecutor.enqueue(job)
    }
  }

  /// This loop, for actors that live on it.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Checks that the calling thread is this loop's, for `assumeIsolated`.
  public func checkIsolated() {
    precondition(isCurrent, "not on the loop \(name)")
  }

  /// Changes the mail and wakes the loop; false, and nothing is done, once it has ended.
  @discardableResult
  private func post(_ change: (inout Mail) -> Void) -> Bool {
    mail.withLock { mail in
      guard mail.phase != .ended else { return false }
      change(&mail)
      // Inside the lock, so that the loop cannot end, and close what is signalled here, in between.
      if !mail.isWoken {
        mail.isWoken = true
        poller.wake()
      }
      return true
    }
  }

  // MARK: - On the loop

  /// A steady clock that is read once per turn. On the loop only.
  public var now: Duration { .milliseconds(milliseconds) }

  /// The same in milliseconds, the measure of all deadlines here.
  var milliseconds: UInt64 {
    precondition(isCurrent)
    return handles.milliseconds
  }

  /// The value of a `Date` field, made once per second. On the loop only.
  public var date: [UInt8] {
    precondition(isCurrent)
    guard handles.milliseconds != dateLookMilliseconds else { return dateBytes }
    dateLookMilliseconds = handles.milliseconds
    var time = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    if time.tv_sec != dateSecond {
      dateSecond = time.tv_sec
      dateBytes = HTTPDate.bytes(epochSeconds: Int64(time.tv_sec))
    }
    return dateBytes
  }

  /// Runs `work` once at the end of this turn, after all that this turn's events caused. On the loop only.
  public func atEndOfTurn(_ work: @escaping () -> Void) {
    precondition(isCurrent)
    endOfTurn.append(work)
  }

  /// Runs `work` once after a while, to the millisecond; with no delay, after the descriptors have been looked at once.
  /// On the loop only.
  @discardableResult
  public func schedule(after delay: Duration, _ work: @escaping () -> Void) -> Timer {
    let due = milliseconds + delay.roundedMilliseconds
    timerNumber += 1
    let timer = Timer(self, due: due, number: timerNumber, work)
    timers.insert(timer)
    if timers.first === timer { armTimer() }
    return timer
  }

  /// Marks the calling thread as the loop's.
  func claimThread() { threadID.store(pthread_self(), ordering: .relaxed) }
}

extension Duration {
  /// Whole milliseconds, rounded up; none for a negative duration.
  var roundedMilliseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let perMillisecond: Int64 = 1_000_000_000_000_000
    let (whole, isOver) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
    // A delay that does not fit is never reached either way.
    return isOver ? UInt64.max / 4 : min(whole + UInt64((attoseconds + perMillisecond - 1) / perMillisecond), .max / 4)
  }
}
