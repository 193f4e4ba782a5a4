import Foundation
import Glibc
import KeyRecords
import RegistryTestKit
import Synchronization

/// Claims of new users over HTTP, each answered when it is durable.
enum ClaimsRow {
  /// The connections are spread over so many threads, as pgbench's are.
  private static let threads = 2

  /// Arguments: port, app, claims, connections, and a file for the ids. Claims are made before the clock starts. Prints
  /// how many were accepted, in how many seconds, and the seconds of processors that asking took.
  static func run(_ arguments: [String]) throws {
    guard let port = UInt16(try argument(0, of: arguments)) else { throw Trouble("no port") }
    guard let app = AppID(try argument(1, of: arguments)) else { throw Trouble("no app id") }
    let (count, connections) = (try number(2, of: arguments), try number(3, of: arguments))
    let claims = try makeClaims(count, app)
    let ids = claims.map(\.id).joined(separator: "\n") + "\n"
    try Files.write(Array(ids.utf8), to: try argument(4, of: arguments))
    let requests = claims.map(\.request)
    let sockets = try (0..<connections).map { _ in try RawConnection(port: port) }
    let (next, created) = (Counter(), Counter())
    let cost = Cost {
      onThreads(threads) { thread in
        let own = stride(from: thread, to: sockets.count, by: threads).map { sockets[$0] }
        ask(own, { requests.indices.contains($0) ? requests[$0] : nil }, next, created)
      }
    }
    guard created.count == count else { throw Trouble("\(created.count) of \(count) claims were accepted") }
    print("{\"created\":\(created.count),\"seconds\":\(cost.wall),\"processor\":\(cost.processor)}")
  }

  /// Arguments: ports of two servers, app, claims to each in a round, rounds. One client claims at one and then at the
  /// other, who is first in turns. Prints the medians of the times from the request to the answer, in seconds.
  static func latencies(_ arguments: [String]) throws {
    guard let app = AppID(try argument(2, of: arguments)) else { throw Trouble("no app id") }
    let (count, rounds) = (try number(3, of: arguments), try number(4, of: arguments))
    var sockets = try (0..<2).map { place in
      guard let port = UInt16(try argument(place, of: arguments)) else { throw Trouble("no port") }
      return try RawConnection(port: port)
    }
    // The first round is not counted: what is made once, as connections, is made then.
    for round in 0...rounds {
      let requests = try makeClaims(2 * count, app).map(\.request)
      var times: [[Double]] = [[], []]
      for index in requests.indices {
        let place = index.isMultiple(of: 4) || index % 4 == 3 ? 0 : 1
        let start = ContinuousClock.now
        guard sockets[place].status(of: requests[index]) == 201 else { throw Trouble("a claim was not accepted") }
        times[place].append(start.duration(to: .now) / .seconds(1))
      }
      guard round > 0 else { continue }
      print("{\"ours\":\(quantile(0.5, of: times[0])),\"peer\":\(quantile(0.5, of: times[1]))}")
    }
  }

  /// Asks on all connections, one request at a time on each, until there is no further request.
  private static func ask(
    _ sockets: [RawConnection], _ request: (Int) -> [UInt8]?, _ next: Counter, _ created: Counter
  ) {
    var sockets = sockets
    var waiting = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    // A negative descriptor is passed over.
    func send(on place: Int) {
      guard let bytes = request(next.increment()), sockets[place].send(bytes) else { return waiting[place].fd = -1 }
    }
    for place in sockets.indices { send(on: place) }
    while waiting.contains(where: { $0.fd >= 0 }), poll(&waiting, nfds_t(waiting.count), -1) > 0 {
      for place in sockets.indices where waiting[place].fd >= 0 && waiting[place].revents != 0 {
        guard let status = sockets[place].status() else {
          waiting[place].fd = -1
          continue
        }
        if status == 201 { created.increment() }
        send(on: place)
      }
    }
  }

  struct Claim: Sendable {
    let id: String
    let request: [UInt8]
  }

  /// A user each, with a bound id.
  static func makeClaims(_ count: Int, _ app: AppID) throws -> [Claim] {
    let made = Mutex<[Claim]>([])
    let threads = ProcessInfo.processInfo.activeProcessorCount
    onThreads(threads) { thread in
      for _ in stride(from: thread, to: count, by: threads) {
        guard let user = TestUser(app: app, created: TestPerson.now) else { return }
        let body = user.claim(at: TestPerson.now)
        let head =
          "POST /apps/\(app)/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
          + "content-length: \(body.count)\r\n\r\n"
        made.withLock { $0.append(Claim(id: user.id.text, request: Array(head.utf8) + body)) }
      }
    }
    let claims = made.withLock { $0 }
    guard claims.count == count else { throw Trouble("only \(claims.count) claims could be made") }
    return claims
  }
}

/// Counts from several threads.
final class Counter: Sendable {
  private let value = Atomic(0)

  var count: Int { value.load(ordering: .relaxed) }

  /// Adds one; the count before.
  @discardableResult
  func increment() -> Int { add(1) }

  /// Adds some; the count before.
  @discardableResult
  func add(_ number: Int) -> Int { value.add(number, ordering: .relaxed).oldValue }
}

/// The value below which a part of the values is; 0 of none.
func quantile(_ part: Double, of values: [Double]) -> Double {
  guard !values.isEmpty else { return 0 }
  return values.sorted()[min(values.count - 1, Int(Double(values.count) * part))]
}

/// Runs `body` on as many threads, which may block, and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Void) {
  let group = DispatchGroup()
  for index in 0..<count {
    group.enter()
    detach {
      body(index)
      group.leave()
    }
  }
  group.wait()
}

/// Runs `body` on a thread of its own, which may block.
func detach(_ body: @escaping @Sendable () -> Void) { Thread.detachNewThread(body) }
