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
    ("registrar_http_requests_total", "Answered requests by route and status."),
    ("registrar_http_request_duration_seconds", "From the end of a request to its answer, by route."),
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
    return backend.text() + RegistryExposition.text(registry)
  }

  /// Counts an answered request. A nil endpoint stands for paths that do not exist, and for what is no request.
  func answered(_ endpoint: Endpoint?, status: Int, after duration: Duration) {
    let route = endpoint?.template ?? "none"
    let (counter, timer) = instruments.withLock { instruments in
      let key = RequestKey(endpoint: endpoint, status: status)
      let counter =
        instruments.requests[key]
        ?? Counter(
          label: "registrar_http_requests_total", dimensions: [("route", route), ("status", String(status))],
          factory: backend)
      instruments.requests[key] = counter
      let timer =
        instruments.durations[endpoint]
        ?? Timer(
          label: "registrar_http_request_duration_seconds", dimensions: [("route", route)], factory: backend)
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
