import CUV
import Glibc

/// The libuv loop and our own handles on it.
///
/// libuv carries libwebsockets and the timers. It does not wait: the loop does, for libuv's descriptor among others, as
/// libuv provides for. All of it belongs to the loop's thread.
final class LoopHandles {
  let loop: UnsafeMutablePointer<uv_loop_t>
  /// Never signalled: with no handle at all libuv would not say how long it can wait.
  private let anchor: UnsafeMutablePointer<uv_async_t>
  private let timer: UnsafeMutablePointer<uv_timer_t>

  init() throws {
    loop = .allocate(capacity: 1)
    anchor = .allocate(capacity: 1)
    timer = .allocate(capacity: 1)
    var code = uv_loop_init(loop)
    if code == 0 {
      code = uv_async_init(loop, anchor) { _ in }
      if code != 0 { uv_loop_close(loop) }
    }
    guard code == 0 else {
      free()
      throw TransportError("make an event loop", reason: String(cString: uv_strerror(code)))
    }
    uv_timer_init(loop, timer)
  }

  /// Milliseconds of a steady clock, as of the last look at the descriptors.
  var milliseconds: UInt64 { uv_now(loop) }

  /// Takes the time anew.
  func updateTime() { uv_update_time(loop) }

  /// Milliseconds until libuv must run though nothing has happened to its descriptor; 0 for at once, -1 for never.
  var timeout: Int32 { uv_backend_timeout(loop) }

  /// Becomes readable when something has happened to what libuv watches.
  var descriptor: Int32 { uv_backend_fd(loop) }

  /// Gives the timer its owner, which is the data of its handle.
  func begin(owner: UnsafeMutableRawPointer) { timer.pointee.data = owner }

  /// Does what libuv has to do now, and waits for nothing.
  func runOnce() { uv_run(loop, UV_RUN_NOWAIT) }

  func startTimer(after delay: UInt64, _ fire: uv_timer_cb) { uv_timer_start(timer, fire, delay, 0) }

  func stopTimer() { uv_timer_stop(timer) }

  /// Closes our handles. With `waitingForOthers`, runs until everything that others have on the loop is closed as well.
  func close(waitingForOthers: Bool) {
    close(anchor)
    close(timer)
    if waitingForOthers {
      while uv_run(loop, UV_RUN_DEFAULT) != 0 {}
    } else {
      uv_run(loop, UV_RUN_NOWAIT)
    }
  }

  /// Frees everything, after `close`.
  func destroy() {
    uv_loop_close(loop)
    free()
  }

  // MARK: - The descriptor that libwebsockets closes twice

  /// libwebsockets closes the descriptor by which it wakes itself when its context is destroyed, and again when libuv has
  /// let go of the handle. In between, another thread may have been given the same number.
  struct WakeDescriptor {
    fileprivate let handle: UnsafeMutablePointer<uv_handle_t>
    fileprivate let number: Int32
  }

  /// Finds it: right after a context was made, its handle is the only one that polls.
  func findWakeDescriptor() -> WakeDescriptor? {
    var found: UnsafeMutablePointer<uv_handle_t>?
    withUnsafeMutablePointer(to: &found) { result in
      uv_walk(
        loop,
        { handle, result in
          guard let handle, handle.pointee.type == UV_POLL else { return }
          result?.assumingMemoryBound(to: UnsafeMutablePointer<uv_handle_t>?.self).pointee = handle
        }, result)
    }
    var number: Int32 = -1
    guard let found, uv_fileno(found, &number) == 0 else { return nil }
    return WakeDescriptor(handle: found, number: number)
  }

  /// Called between the two: takes the number back, so that the second close hits nobody. False when another thread has
  /// it already: then the second close is called off, and the context must be left as it is.
  func protect(_ wake: WakeDescriptor) -> Bool {
    let taken = fcntl(uv_backend_fd(loop), F_DUPFD_CLOEXEC, wake.number)
    if taken == wake.number { return true }
    if taken >= 0 { Glibc.close(taken) }
    wake.handle.pointee.close_cb = { _ in }
    return false
  }

  private func close<Handle>(_ handle: UnsafeMutablePointer<Handle>) {
    uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self), nil)
  }

  private func free() {
    timer.deallocate()
    anchor.deallocate()
    loop.deallocate()
  }
}
