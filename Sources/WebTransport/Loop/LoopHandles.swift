import CUV
import Glibc

/// The libuv loop and our own handles on it.
///
/// All of it belongs to the loop's thread but `wake`, which libuv allows from every thread until the handle is closed.
final class LoopHandles {
  let loop: UnsafeMutablePointer<uv_loop_t>
  private let async: UnsafeMutablePointer<uv_async_t>
  private let prepare: UnsafeMutablePointer<uv_prepare_t>
  private let timer: UnsafeMutablePointer<uv_timer_t>

  init() throws {
    loop = .allocate(capacity: 1)
    async = .allocate(capacity: 1)
    prepare = .allocate(capacity: 1)
    timer = .allocate(capacity: 1)
    var code = uv_loop_init(loop)
    if code == 0 {
      code = uv_async_init(loop, async) { _ in }
      if code != 0 { uv_loop_close(loop) }
    }
    guard code == 0 else {
      free()
      throw TransportError("make an event loop", reason: String(cString: uv_strerror(code)))
    }
    uv_prepare_init(loop, prepare)
    uv_timer_init(loop, timer)
  }

  /// Milliseconds of a steady clock, as of the last look at the descriptors.
  var milliseconds: UInt64 { uv_now(loop) }

  /// Makes the loop look at its mail. From any thread.
  func wake() { uv_async_send(async) }

  /// Begins to call `turn` before each wait and `fire` when the timer is due, with `owner` as the handles' data.
  func begin(owner: UnsafeMutableRawPointer, turn: uv_prepare_cb) {
    prepare.pointee.data = owner
    timer.pointee.data = owner
    uv_prepare_start(prepare, turn)
  }

  func startTimer(after delay: UInt64, _ fire: uv_timer_cb) { uv_timer_start(timer, fire, delay, 0) }

  func stopTimer() { uv_timer_stop(timer) }

  /// Runs until `stop`.
  func run() { uv_run(loop, UV_RUN_DEFAULT) }

  func stop() { uv_stop(loop) }

  /// Closes our handles. With `waitingForOthers`, runs until everything that others have on the loop is closed as well.
  func close(waitingForOthers: Bool) {
    close(async)
    close(prepare)
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
    prepare.deallocate()
    async.deallocate()
    loop.deallocate()
  }
}
