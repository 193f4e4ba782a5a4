import Glibc
import KeyRecords
import RegistryTestKit
import Synchronization

/// Many subscribers of the event feed in one process, which is not the server's: open files are counted per process.
enum SubscribersRow {
  /// How often somebody asks for a key meanwhile: far from what the server can do, so that waiting shows and load does
  /// not.
  private static let secondsBetweenGets = 0.000_5
  /// How long before the event that begins.
  private static let leadNanoseconds = 200_000_000

  /// Arguments: port, app, subscribers, the index of the last entry, and a file of paths to ask for. Prints a line when
  /// all have subscribed; after a line on standard input one claim is made, and it prints how long the last subscriber
  /// waited for it from the sending of the claim on, and how long GETs took within that time.
  static func run(_ arguments: [String]) throws {
    guard let port = UInt16(try argument(0, of: arguments)) else { throw Trouble("no port") }
    guard let app = AppID(try argument(1, of: arguments)) else { throw Trouble("no app id") }
    let count = try number(2, of: arguments)
    let target = "/apps/\(app)/events?after=\(try argument(3, of: arguments))"
    let gets = try Files.lines(try argument(4, of: arguments)).map { path in
      Array("GET ".utf8) + path + Array(" HTTP/1.1\r\nhost: localhost\r\n\r\n".utf8)
    }
    let claim = try ClaimsRow.makeClaims(1, app)[0].request
    let asking = Asking(connection: try RawConnection(port: port), requests: gets)
    var writer = try RawConnection(port: port)
    var subscribers = try (0..<count).map { _ in try Subscriber(port: port, target: target) }
    say("{\"subscribed\":\(count)}")
    guard readLine() != nil else { return }

    asking.begin(every: secondsBetweenGets)
    var lead = timespec(tv_sec: 0, tv_nsec: leadNanoseconds)
    nanosleep(&lead, nil)
    let sent = seconds()
    guard writer.send(claim) else { throw Trouble("the claim cannot be sent") }
    // Each gets one frame: who waits for one after the other has waited for the last.
    for index in subscribers.indices { try subscribers[index].readText() }
    let last = seconds()
    let times = try asking.end(from: sent, to: last)
    guard writer.status() == 201 else { throw Trouble("the claim was not accepted") }
    let worst = times.max() ?? 0
    print(
      "{\"last\":\(last - sent),\"gets\":\(times.count),\"p99\":\(quantile(0.99, of: times)),\"worst\":\(worst)}")
  }

  /// A line, at once: who reads waits for it.
  private static func say(_ line: String) {
    print(line)
    fflush(nil)
  }
}

/// Seconds of a clock that only goes on.
private func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// One connection that asks at fixed times, whether or not the answer before has come: a time is from when it was to be
/// asked, so that a server that stands still is seen by all who wait meanwhile.
private final class Asking: Sendable {
  private struct State {
    var times: [(due: Double, seconds: Double)] = []
    var isOver = false
    var isFailed = false
  }

  private let connection: RawConnection
  private let requests: [[UInt8]]
  private let state = Mutex(State())

  init(connection: RawConnection, requests: [[UInt8]]) {
    self.connection = connection
    self.requests = requests
  }

  func begin(every interval: Double) {
    detach { [self] in
      var connection = connection
      var due = seconds()
      var turn = 0
      while !state.withLock({ $0.isOver }) {
        let wait = due - seconds()
        if wait > 0 {
          var time = timespec(tv_sec: 0, tv_nsec: Int(wait * 1e9))
          nanosleep(&time, nil)
        }
        let status = connection.status(of: requests[(turn &* 7_919) % requests.count])
        let time = seconds() - due
        state.withLock { state in
          state.times.append((due, time))
          if status != 200 { state.isFailed = true }
        }
        turn += 1
        due += interval
      }
    }
  }

  /// Stops, and gives the times of what was to be asked in between.
  func end(from first: Double, to last: Double) throws -> [Double] {
    // What was to be asked in that time has been asked when something later has been.
    while !state.withLock({ $0.isFailed || ($0.times.last?.due ?? 0) > last }) { usleep(1_000) }
    let times = state.withLock { state in
      state.isOver = true
      return state.times
    }
    guard !state.withLock({ $0.isFailed }) else { throw Trouble("a GET was not answered with 200") }
    return times.filter { (first...last).contains($0.due) }.map(\.seconds)
  }
}

/// A WebSocket to the event feed that nobody asks anything of.
private struct Subscriber {
  private static let text: UInt8 = 0x81
  private static let endOfHead = Array("\r\n\r\n".utf8)

  private var connection: RawConnection
  private var buffer: [UInt8] = []

  init(port: UInt16, target: String) throws {
    connection = try RawConnection(port: port, answerBytes: 0)
    let head =
      "GET \(target) HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
      + "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    guard connection.send(Array(head.utf8)) else { throw Trouble("a subscriber cannot send") }
    while true {
      buffer += try connection.receive()
      guard let end = buffer.indices.first(where: { buffer[$0...].starts(with: Self.endOfHead) }) else { continue }
      guard buffer.starts(with: Array("HTTP/1.1 101".utf8)) else {
        throw Trouble("a subscriber is refused: \(String(decoding: buffer.prefix(60), as: UTF8.self))")
      }
      buffer.removeFirst(end + Self.endOfHead.count)
      return
    }
  }

  /// Waits for a whole text frame; others are passed over.
  mutating func readText() throws {
    while true {
      guard let (size, isText) = frame(), buffer.count >= size else {
        buffer += try connection.receive()
        continue
      }
      buffer.removeFirst(size)
      if isText { return }
    }
  }

  /// The bytes of the frame at the beginning and whether it is text, once its head is there. Servers do not mask.
  private func frame() -> (size: Int, isText: Bool)? {
    guard buffer.count >= 2 else { return nil }
    let isText = buffer[0] == Self.text
    let short = Int(buffer[1] & 0x7f)
    guard short >= 126 else { return (2 + short, isText) }
    let lengthBytes = short == 126 ? 2 : 8
    guard buffer.count >= 2 + lengthBytes else { return nil }
    let length = buffer[2..<2 + lengthBytes].reduce(0) { $0 << 8 | Int($1) }
    return (2 + lengthBytes + length, isText)
  }
}
