import CUV
import Glibc

extension EventLoop {
  /// A descriptor that the loop watches.
  public final class Watch {
    private let loop: EventLoop
    /// The descriptor that is watched, which closes with the watch; -1 from then on, as its number may be another's.
    private(set) var fileDescriptor: Int32
    /// By what the loop finds the watch for an event.
    fileprivate let key: UInt64
    private var onReadable: (() -> Void)?
    private var onWritable: (() -> Void)?
    private var wantsReadable = true
    private var wantsWritable = false
    /// Whether readable is told once for what has come, and not as long as bytes wait.
    private var isByEdge: Bool
    /// What the poller was asked for; 0 while the descriptor is not in its set.
    private var polled: UInt32 = 0

    fileprivate init(
      _ loop: EventLoop, owning descriptor: Int32, byEdge isByEdge: Bool, onReadable: @escaping () -> Void,
      onWritable: @escaping () -> Void
    ) throws(TransportError) {
      self.loop = loop
      self.fileDescriptor = descriptor
      self.isByEdge = isByEdge
      self.onReadable = onReadable
      self.onWritable = onWritable
      key = loop.watches.key(for: descriptor)
      polled = wanted
      let code = loop.poller.add(descriptor, polled, key: key)
      guard code == 0 else { throw TransportError("watch a descriptor", code: code) }
    }

    /// Asks for one call of `onWritable`, as soon as the descriptor takes bytes. On the loop only.
    public func requestWritable() {
      precondition(loop.isCurrent)
      guard !wantsWritable else { return }
      wantsWritable = true
      poll()
    }

    /// Ends the watch; no callback comes afterwards. On the loop only.
    public func cancel() {
      precondition(loop.isCurrent)
      // Whoever cancels inside of a callback may have the only other reference.
      withExtendedLifetime(self) { end() }
    }

    /// Whether `onReadable` is called; it is at first.
    func setReadable(_ isWanted: Bool) {
      guard wantsReadable != isWanted else { return }
      wantsReadable = isWanted
      poll()
    }

    /// Asks for another call of `onReadable` if bytes still wait, where that is told by edge.
    func lookAgain() {
      guard isByEdge, polled != 0 else { return }
      polled = 0
      poll(isAdded: true)
    }

    private var wanted: UInt32 {
      var flags = wantsWritable ? EPOLLOUT.rawValue : 0
      if wantsReadable { flags |= EPOLLIN.rawValue }
      if isByEdge, flags != 0 { flags |= EPOLLRDHUP.rawValue | EPOLLET.rawValue }
      return flags
    }

    /// Tells the poller what is wanted, if that has changed.
    private func poll() { poll(isAdded: polled != 0) }

    private func poll(isAdded: Bool) {
      let flags = wanted
      guard flags != polled, fileDescriptor >= 0 else { return }
      polled = flags
      if flags == 0 {
        // Not kept with no flags: the system would go on to tell that the other end has gone.
        loop.poller.remove(fileDescriptor)
      } else if isAdded {
        _ = loop.poller.change(fileDescriptor, flags, key: key)
      } else {
        _ = loop.poller.add(fileDescriptor, flags, key: key)
      }
    }

    fileprivate func happened(_ flags: UInt32) {
      guard flags & EPOLLERR.rawValue == 0 else { return broke() }
      // The end of the other side is told together with what it has sent before, and by edge never again.
      let isEnd = flags & (EPOLLHUP.rawValue | EPOLLRDHUP.rawValue) != 0
      if isEnd { isByEdge = false }
      let isAll = flags & EPOLLHUP.rawValue != 0
      if isAll || flags & EPOLLIN.rawValue != 0, wantsReadable { onReadable?() }
      if isAll || flags & EPOLLOUT.rawValue != 0, wantsWritable {
        wantsWritable = false
        onWritable?()
      }
      // Only now: who asks again at once costs no system call.
      poll()
    }

    /// The descriptor is broken. Its owner is called once more, to read what is left or the reason; and if it has not
    /// cancelled then, again without a descriptor, so that every read and write of it fails.
    private func broke() {
      loop.poller.remove(fileDescriptor)
      polled = 0
      let wasWritableWanted = wantsWritable
      (wantsReadable, wantsWritable) = (false, false)
      if wasWritableWanted { onWritable?() }
      onReadable?()
      guard fileDescriptor >= 0 else { return }
      close()
      onReadable?()
      forgetOwner()
    }

    /// Ends the watch without a word.
    func end() {
      close()
      forgetOwner()
    }

    private func close() {
      guard fileDescriptor >= 0 else { return }
      loop.watches.forget(self)
      // Not left to the closing: the socket may have another descriptor, with which it would stay in the set.
      if polled != 0 { loop.poller.remove(fileDescriptor) }
      polled = 0
      Glibc.close(fileDescriptor)
      fileDescriptor = -1
    }

    private func forgetOwner() {
      onReadable = nil
      onWritable = nil
    }
  }

  /// The watches of a loop, by their descriptors.
  struct Watches {
    private var byDescriptor: [Watch?] = []
    private var serial: UInt32 = 0

    var all: [Watch] { byDescriptor.compactMap(\.self) }

    /// A key for a new watch of a descriptor, which no watch of the same descriptor has had: so an event that was told of
    /// an earlier one is not taken for its own.
    fileprivate mutating func key(for descriptor: Int32) -> UInt64 {
      // Below the keys that are not watches'.
      serial = (serial + 1) & 0x7FFF_FFFF
      return UInt64(serial) << 32 | UInt64(UInt32(descriptor))
    }

    fileprivate mutating func keep(_ watch: Watch) {
      let index = Int(watch.fileDescriptor)
      while byDescriptor.count <= index { byDescriptor.append(nil) }
      byDescriptor[index] = watch
    }

    fileprivate mutating func forget(_ watch: Watch) {
      let index = Int(watch.fileDescriptor)
      if index < byDescriptor.count, byDescriptor[index] === watch { byDescriptor[index] = nil }
    }

    fileprivate func watch(_ key: UInt64) -> Watch? {
      let index = Int(UInt32(truncatingIfNeeded: key))
      guard index < byDescriptor.count, let watch = byDescriptor[index], watch.key == key else { return nil }
      return watch
    }
  }

  /// Tells the watch that an event is about, unless it has ended meanwhile.
  func tell(_ event: Poller.Event) {
    // Retained here: the watch may end in its callback.
    watches.watch(event.key)?.happened(event.flags)
  }

  /// Watches a descriptor, readable by level (called again as long as bytes wait), writable only where asked for.
  ///
  /// The loop watches a duplicate: the caller may close its own descriptor before it cancels. When the descriptor breaks,
  /// the callbacks are called a last time. On the loop only.
  public func watch(
    fileDescriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
  ) throws -> Watch {
    let duplicate = fcntl(fileDescriptor, F_DUPFD_CLOEXEC, 0)
    guard duplicate >= 0 else { throw TransportError("duplicate a descriptor", code: errno) }
    // Shared with the caller's: nothing on a loop may wait.
    _ = fcntl(duplicate, F_SETFL, fcntl(duplicate, F_GETFL) | O_NONBLOCK)
    return try adopt(duplicate, onReadable: onReadable, onWritable: onWritable)
  }

  /// The same for a descriptor that becomes the watch's and waits for nothing; it is closed too when this fails.
  ///
  /// - Parameter isByEdge: Whether readable is told once for what has come: the owner reads all of it, or calls
  ///   `lookAgain`. The system then need not look at the descriptor after each event. Once the other end has ended its
  ///   side, it is told by level again.
  func adopt(
    _ descriptor: Int32, byEdge isByEdge: Bool = false, onReadable: @escaping () -> Void,
    onWritable: @escaping () -> Void
  ) throws(TransportError) -> Watch {
    precondition(isCurrent)
    do throws(TransportError) {
      let watch = try Watch(
        self, owning: descriptor, byEdge: isByEdge, onReadable: onReadable, onWritable: onWritable)
      watches.keep(watch)
      return watch
    } catch {
      close(descriptor)
      throw error
    }
  }
}
