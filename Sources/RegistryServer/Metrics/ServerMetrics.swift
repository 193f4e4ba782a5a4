import CoreMetrics
import KeyRecords
import Registry
import Synchronization
import WebTransport

/// What the server counts.
final class ServerMetrics: Sendable {
  private struct RequestKey: Hashable {
    let endpoint: Endpoint?
    let status: Int
  }

  private struct Instruments {
    var requests: [RequestKey: Counter] = [:]
    var durations: [Endpoint?: Timer] = [:]
    var refusals: [ProblemCode: Counter] = [:]
    var closes: [String: Counter] = [:]
    var tallies: [TakenTally] = []
  }

  /// The answers of a loop, and what of them has been added to the instruments.
  private struct TakenTally {
    let tally: AnswerTally
    var taken = AnswerTally.Answer.allCases.map { _ in AnswerTally.Count() }
  }

  /// Where everything is registered and rendered.
  let backend: PrometheusMetrics
  private let openConnections: Meter
  private let openWebSockets: Meter
  private let server = Mutex<WebServer?>(nil)
  /// Entries given to the event feed.
  let sentEvents: Counter
  private let instruments = Mutex(Instruments())

  init(_ backend: PrometheusMetrics = PrometheusMetrics()) {
    self.backend = backend
    for (name, help) in Self.helps { backend.describe(name, help) }
    openConnections = Meter(label: "registrar_http_connections", factory: backend)
    openWebSockets = Meter(label: "registrar_websockets", factory: backend)
    sentEvents = Counter(label: "registrar_events_published_total", factory: backend)
  }

  private static let helps = [
    (requests, "Answered requests by route and status."),
    (durations, "From the end of a request to its answer, by route."),
    ("registrar_http_connections", "Open connections, WebSockets among them."),
    ("registrar_websockets", "Open WebSockets."),
    ("registrar_refusals_total", "Problems that were answered, by code."),
    ("registrar_event_closes_total", "WebSockets that the registrar closed, by reason."),
    ("registrar_events_published_total", "Entries given to the event feed."),
  ]

  /// Names the server whose connections are counted.
  func attach(_ server: WebServer) {
    self.server.withLock { $0 = server }
  }

  /// Everything that is measured, as Prometheus reads it.
  func text(with registry: RegistryMetrics) -> [UInt8] {
    let server = server.withLock { $0 }
    openConnections.set(server?.openConnections ?? 0)
    openWebSockets.set(server?.openWebSockets ?? 0)
    takeTallies()
    return backend.text() + RegistryExposition.text(registry)
  }

  /// A tally for the answers from memory of one loop.
  func makeTally() -> AnswerTally {
    let tally = AnswerTally()
    instruments.withLock { $0.tallies.append(TakenTally(tally: tally)) }
    return tally
  }

  private func takeTallies() {
    instruments.withLock { instruments in
      for index in instruments.tallies.indices {
        for answer in AnswerTally.Answer.allCases {
          let count = instruments.tallies[index].tally.count(of: answer)
          let taken = instruments.tallies[index].taken[answer.rawValue]
          instruments.tallies[index].taken[answer.rawValue] = count
          add(count, beyond: taken, of: answer)
        }
      }
    }
  }

  private func add(_ count: AnswerTally.Count, beyond taken: AnswerTally.Count, of answer: AnswerTally.Answer) {
    guard count.answers > taken.answers else { return }
    let (endpoint, status) = answer.route
    let route = ("route", endpoint.template)
    backend.makeCounter(label: Self.requests, dimensions: [route, ("status", String(status))])
      .increment(by: count.answers - taken.answers)
    // Whoever asks twice gets the same one.
    let durations = backend.makeTimer(label: Self.durations, dimensions: [route]) as? PrometheusHistogram
    durations?.add(
      zip(count.byDuration, taken.byDuration).map { $0 - $1 },
      sum: Double(count.nanoseconds - taken.nanoseconds) / 1e9)
  }

  private static let requests = "registrar_http_requests_total"
  private static let durations = "registrar_http_request_duration_seconds"

  /// Counts an answered request. A nil endpoint stands for paths that do not exist, and for what is no request.
  func answered(_ endpoint: Endpoint?, status: Int, after duration: Duration) {
    let route = endpoint?.template ?? "none"
    let (counter, timer) = instruments.withLock { instruments in
      let key = RequestKey(endpoint: endpoint, status: status)
      let counter =
        instruments.requests[key]
        ?? Counter(
          label: Self.requests, dimensions: [("route", route), ("status", String(status))],
          factory: backend)
      instruments.requests[key] = counter
      let timer =
        instruments.durations[endpoint]
        ?? Timer(
          label: Self.durations, dimensions: [("route", route)], factory: backend)
      instruments.durations[endpoint] = timer
      return (counter, timer)
    }
    counter.increment()
    let (seconds, attoseconds) = duration.components
    timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  /// Counts a problem.
  func refused(_ code: ProblemCode) {
    let counter = instruments.withLock { instruments in
      let counter =
        instruments.refusals[code]
        ?? Counter(label: "registrar_refusals_total", dimensions: [("code", code.rawValue)], factory: backend)
      instruments.refusals[code] = counter
      return counter
    }
    counter.increment()
  }

  /// Counts a WebSocket that the registrar closed.
  func closed(_ reason: String) {
    let counter = instruments.withLock { instruments in
      let counter =
        instruments.closes[reason]
        ?? Counter(label: "registrar_event_closes_total", dimensions: [("reason", reason)], factory: backend)
      instruments.closes[reason] = counter
      return counter
    }
    counter.increment()
  }
}
