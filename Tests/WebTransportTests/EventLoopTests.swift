import Glibc
import Synchronization
import Testing

@testable import WebTransport

@Suite("Event loop")
struct EventLoopTests {
  @Test("A task that prefers the loop runs on it, also after it has waited")
  func tasksStayOnTheLoop() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let places = await Task(executorPreference: loop) {
      let before = loop.isCurrent
      await Task.yield()
      try? await Task.sleep(for: .milliseconds(2))
      return [before, loop.isCurrent]
    }.value
    #expect(places == [true, true])
    #expect(!loop.isCurrent)
  }

  @Test("Work from many threads runs once each, in order per thread")
  func workFromManyThreads() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let seen = SeenNumbers()
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<8 {
        group.addTask {
          for number in 0..<1000 { loop.execute { seen.byThread.withLock { $0[thread, default: []].append(number) } } }
          await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
        }
      }
    }
    seen.byThread.withLock { seen in
      for thread in 0..<8 { #expect(seen[thread] == Array(0..<1000)) }
    }
  }

  @Test("Timers run in the order of their times; a cancelled one does not run")
  func timers() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let order = await onLoop(loop) { loop, done in
      let order = Order()
      let cancelled = loop.schedule(after: .milliseconds(5)) { order.seen.append(-1) }
      for delay in [40, 10, 30, 0, 20, 20] {
        loop.schedule(after: .milliseconds(delay)) { order.seen.append(delay) }
      }
      loop.schedule(after: .milliseconds(1)) {
        cancelled.cancel()
        cancelled.cancel()
      }
      loop.schedule(after: .milliseconds(60)) { done(order.seen) }
    }
    #expect(order == [0, 10, 20, 20, 30, 40])
  }

  @Test("Many timers, most of them cancelled, leave the others alone")
  func timerHeap() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let fired = await onLoop(loop) { loop, done in
      let order = Order()
      let timers = (0..<2000).map { number in
        loop.schedule(after: .milliseconds((number * 7919) % 50)) { order.seen.append((number * 7919) % 50) }
      }
      for (index, timer) in timers.enumerated() where index % 4 != 0 { timer.cancel() }
      loop.schedule(after: .milliseconds(80)) { done(order.seen) }
    }
    #expect(fired.count == 500)
    #expect(fired == fired.sorted())
  }

  @Test("A descriptor is readable as long as bytes wait, and writable once per request")
  func watch() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let (ours, theirs) = (ends[0], ends[1])
    defer { close(theirs) }
    #expect(write(theirs, "abc", 3) == 3)
    let read = await onLoop(loop) { loop, done in
      let state = WatchState()
      state.watch = try? loop.watch(
        fileDescriptor: ours,
        onReadable: {
          var byte: UInt8 = 0
          guard Glibc.read(ours, &byte, 1) == 1 else { return }
          state.bytes.append(byte)
          if state.bytes.count == 3 { state.watch?.requestWritable() }
        },
        onWritable: {
          state.writableCalls += 1
          // A request from within the callback counts.
          if state.writableCalls < 3 { state.watch?.requestWritable() }
          if state.writableCalls == 3 {
            loop.schedule(after: .milliseconds(20)) {
              state.watch?.cancel()
              done(state.bytes.map(Int.init) + [state.writableCalls])
            }
          }
        })
    }
    #expect(read == [97, 98, 99, 3])
    close(ours)
    // The loop has closed its duplicate too: the other end sees the end.
    var byte: UInt8 = 0
    #expect(Glibc.read(theirs, &byte, 1) == 0)
  }

  @Test("A connection that is refused calls its owner")
  func refusedConnection() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let outcome = await onLoop(loop) { loop, done in
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      address.sin_port = UInt16(1).bigEndian
      _ = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      let state = WatchState()
      state.watch = try? loop.watch(
        fileDescriptor: descriptor, onReadable: {},
        onWritable: {
          var code: Int32 = 0
          var length = socklen_t(MemoryLayout<Int32>.size)
          getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
          state.watch?.cancel()
          close(descriptor)
          done([Int(code)])
        })
      state.watch?.requestWritable()
    }
    #expect(outcome == [Int(ECONNREFUSED)])
  }

  @Test("Starting and stopping leaves no descriptor and no thread behind")
  func noLeaks() async throws {
    try EventLoop.start(name: "first").stop()
    let before = openDescriptors()
    for _ in 0..<20 { try EventLoop.start(name: "again").stop() }
    // Other tests have descriptors meanwhile; they give them back.
    #expect(await eventually { openDescriptors() < before + 40 })
  }

  @Test("A task whose loop has ended goes on elsewhere")
  func taskOutlivesLoop() async throws {
    let loop = try EventLoop.start(name: "test")
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    let task = Task(executorPreference: loop) {
      for await _ in stream {}
      return loop.isCurrent
    }
    loop.stop()
    continuation.finish()
    #expect(await task.value == false)
  }
}

private final class SeenNumbers: Sendable {
  let byThread = Mutex<[Int: [Int]]>([:])
}

/// Test state that lives on one loop.
private final class Order { var seen: [Int] = [] }

private final class WatchState {
  var watch: EventLoop.Watch?
  var bytes: [UInt8] = []
  var writableCalls = 0
}

/// Runs `body` on the loop and waits until it calls its second argument.
private func onLoop(
  _ loop: EventLoop, _ body: @escaping @Sendable (EventLoop, @escaping @Sendable ([Int]) -> Void) -> Void
) async -> [Int] {
  await withCheckedContinuation { continuation in
    loop.execute { body(loop) { continuation.resume(returning: $0) } }
  }
}

private func openDescriptors() -> Int {
  guard let directory = opendir("/proc/self/fd") else { return 0 }
  defer { closedir(directory) }
  var count = 0
  while readdir(directory) != nil { count += 1 }
  return count
}
