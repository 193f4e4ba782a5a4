import CUV
import Glibc

extension EventLoop {
  /// A descriptor that the loop watches.
  ///
  /// libuv watches it without libwebsockets in between, whose part of an event would cost more than an answer from memory.
  public final class Watch {
    private let loop: EventLoop
    /// The descriptor that is watched, which closes with the watch; -1 from then on, as its number may be another's.
    private(set) var fileDescriptor: Int32
    /// libuv's handle, freed when libuv has let go of it; nil when the watch has ended.
    private var handle: UnsafeMutablePointer<uv_poll_t>?
    /// Index among the loop's watches.
    fileprivate(set) var place = -1
    private var onReadable: (() -> Void)?
    private var onWritable: (() -> Void)?
    private var wantsReadable = true
    private var wantsWritable = false
    /// What libuv was asked for.
    private var polled: Int32 = 0

    fileprivate init(
      _ loop: EventLoop, owning descriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
    ) throws(TransportError) {
      self.loop = loop
      self.fileDescriptor = descriptor
      self.onReadable = onReadable
      self.onWritable = onWritable
      let handle = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
      let code = uv_poll_init(loop.handles.loop, handle, descriptor)
      guard code == 0 else {
        handle.deallocate()
        throw TransportError("watch a descriptor", reason: String(cString: uv_strerror(code)))
      }
      // Unretained: the loop has the watch among its own until it closes the handle.
      handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
      self.handle = handle
      poll()
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
      guard handle != nil else {
        forgetOwner()
        return
      }
      // Whoever cancels inside of a callback may have the only other reference.
      withExtendedLifetime(self) {
        close()
        forgetOwner()
      }
    }

    /// Whether `onReadable` is called; it is at first.
    func setReadable(_ isWanted: Bool) {
      guard wantsReadable != isWanted else { return }
      wantsReadable = isWanted
      poll()
    }

    /// Tells libuv what is wanted, if that has changed.
    private func poll() {
      guard let handle else { return }
      let readable = wantsReadable ? Int32(UV_READABLE.rawValue) : 0
      let events = readable | (wantsWritable ? Int32(UV_WRITABLE.rawValue) : 0)
      guard events != polled else { return }
      polled = events
      if events == 0 {
        uv_poll_stop(handle)
      } else {
        uv_poll_start(handle, events, watchCallback)
      }
    }

    fileprivate func happened(_ status: Int32, _ events: Int32) {
      guard status >= 0 else { return broke() }
      if events & Int32(UV_READABLE.rawValue) != 0, wantsReadable { onReadable?() }
      if events & Int32(UV_WRITABLE.rawValue) != 0, wantsWritable {
        wantsWritable = false
        onWritable?()
      }
      // Only now: who asks again at once costs no system call.
      poll()
    }

    /// libuv gives the descriptor up, because it is broken. Its owner is called once more, to read what is left or the
    /// reason; and if it has not cancelled then, again without a descriptor, so that every read and write of it fails.
    private func broke() {
      polled = 0
      let wasWritableWanted = wantsWritable
      (wantsReadable, wantsWritable) = (false, false)
      if wasWritableWanted { onWritable?() }
      onReadable?()
      guard handle != nil else { return }
      close()
      onReadable?()
      forgetOwner()
    }

    /// Ends the watch without a word, with the loop.
    func end() {
      close()
      forgetOwner()
    }

    private func close() {
      guard let handle else { return }
      self.handle = nil
      loop.watches.forget(self)
      handle.pointee.data = nil
      uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)) { handle in
        UnsafeMutableRawPointer(handle)?.assumingMemoryBound(to: uv_poll_t.self).deallocate()
      }
      // libuv has taken it out of its set, and forgotten events of it that it has not told of yet.
      Glibc.close(fileDescriptor)
      fileDescriptor = -1
    }

    private func forgetOwner() {
      onReadable = nil
      onWritable = nil
    }
  }

  /// The watches of a loop.
  struct Watches {
    private(set) var all: [Watch] = []

    fileprivate mutating func keep(_ watch: Watch) {
      watch.place = all.count
      all.append(watch)
    }

    fileprivate mutating func forget(_ watch: Watch) {
      let last = all.removeLast()
      if last !== watch {
        all[watch.place] = last
        last.place = watch.place
      }
      watch.place = -1
    }
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
    return try adopt(duplicate, onReadable: onReadable, onWritable: onWritable)
  }

  /// The same for a descriptor that becomes the watch's; it is closed too when this fails.
  func adopt(
    _ descriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
  ) throws(TransportError) -> Watch {
    precondition(isCurrent)
    do throws(TransportError) {
      let watch = try Watch(self, owning: descriptor, onReadable: onReadable, onWritable: onWritable)
      watches.keep(watch)
      return watch
    } catch {
      close(descriptor)
      throw error
    }
  }
}

private let watchCallback: @convention(c) (UnsafeMutablePointer<uv_poll_t>?, Int32, Int32) -> Void = {
  handle, status, events in
  guard let data = handle?.pointee.data else { return }
  // Retained here: the watch may end in its callback.
  Unmanaged<EventLoop.Watch>.fromOpaque(data).takeUnretainedValue().happened(status, events)
}
