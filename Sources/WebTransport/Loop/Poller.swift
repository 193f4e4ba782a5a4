import CUV
import Glibc

/// What a loop waits for: an epoll set of its own, with libuv's as one of its descriptors.
///
/// Our descriptors are not libuv's, because it looks at each of them again after every event that it tells of, and its part
/// of an event costs as much as reading a request line.
final class Poller {
  /// What happened to one descriptor.
  struct Event {
    /// Of `EPOLL_EVENTS`.
    let flags: UInt32
    /// What the descriptor was added with.
    let key: UInt64
  }

  private let descriptor: Int32
  private let wakeDescriptor: Int32
  private let events: UnsafeMutableBufferPointer<epoll_event>
  /// Of `events`, from the last wait.
  private(set) var count = 0

  /// Most events that one wait brings. What is beyond comes with the next.
  private static let mostEvents = 1024
  /// The key of `wake`, which no descriptor is added with.
  static let wakeKey = UInt64.max

  init() throws(TransportError) {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard descriptor >= 0 else { throw TransportError("make an epoll set", code: errno) }
    wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    events = .allocate(capacity: Poller.mostEvents)
    guard wakeDescriptor >= 0 else { throw TransportError("make an event descriptor", code: errno) }
    // By edge, so that nobody has to read it: each write is an event of its own.
    let code = add(wakeDescriptor, EPOLLIN.rawValue | EPOLLET.rawValue, key: Poller.wakeKey)
    guard code == 0 else { throw TransportError("watch an event descriptor", code: code) }
  }

  deinit {
    if wakeDescriptor >= 0 { close(wakeDescriptor) }
    if descriptor >= 0 { close(descriptor) }
    events.deallocate()
  }

  /// Ends the present wait, or else the next one at once. From any thread.
  func wake() { eventfd_write(wakeDescriptor, 1) }

  /// Waits for events, or some milliseconds; -1 for ever.
  func wait(_ milliseconds: Int32) {
    count = max(0, Int(epoll_wait(descriptor, events.baseAddress, Int32(Poller.mostEvents), milliseconds)))
  }

  /// One of the events of the last wait.
  func event(at index: Int) -> Event {
    precondition(index < count)
    return Event(flags: events[index].events, key: events[index].data.u64)
  }

  // MARK: - The set

  /// 0, or the error of the system, as in the others.
  func add(_ descriptor: Int32, _ flags: UInt32, key: UInt64) -> Int32 {
    control(EPOLL_CTL_ADD, descriptor, flags, key)
  }

  /// Also tells again of what is there already.
  func change(_ descriptor: Int32, _ flags: UInt32, key: UInt64) -> Int32 {
    control(EPOLL_CTL_MOD, descriptor, flags, key)
  }

  func remove(_ descriptor: Int32) { _ = control(EPOLL_CTL_DEL, descriptor, 0, 0) }

  private func control(_ operation: Int32, _ descriptor: Int32, _ flags: UInt32, _ key: UInt64) -> Int32 {
    var event = epoll_event(events: flags, data: epoll_data_t(u64: key))
    return epoll_ctl(self.descriptor, operation, descriptor, &event) == 0 ? 0 : errno
  }
}
