import CoreMetrics
import KeyRecords

/// What is counted of one app's webhook.
struct WebhookMetrics: Sendable {
  /// Deliveries that were taken.
  let delivered: Counter
  /// Attempts that failed.
  let failed: Counter
  /// Entries that are still to be delivered or passed over; 0 where another instance delivers.
  let waiting: Meter

  init(_ app: AppID, _ backend: PrometheusMetrics) {
    let attempts = "registrar_webhook_attempts_total"
    let waiting = "registrar_webhook_entries_waiting"
    backend.describe(attempts, "Attempts to deliver an entry to a webhook, by app and result.")
    backend.describe(waiting, "Entries that an app's webhook has not been told of, where this instance tells it.")
    delivered = Counter(label: attempts, dimensions: [("app", app.text), ("result", "delivered")], factory: backend)
    failed = Counter(label: attempts, dimensions: [("app", app.text), ("result", "failed")], factory: backend)
    self.waiting = Meter(label: waiting, dimensions: [("app", app.text)], factory: backend)
  }
}
