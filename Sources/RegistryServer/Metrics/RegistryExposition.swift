import KeyRecords
import Registry

/// What the registry counts, in the Prometheus text format: it counts itself and is read when somebody asks.
enum RegistryExposition {
  static func text(_ metrics: RegistryMetrics) -> [UInt8] {
    var text = ""
    counter("registrar_submissions_accepted_total", "Submissions accepted.", metrics.accepted, to: &text)
    counter(
      "registrar_submissions_repeated_total", "Submissions that had been accepted before.", metrics.repeated, to: &text)
    head("registrar_submissions_refused_total", "counter", "Submissions refused by the rules, by code.", to: &text)
    for (code, count) in metrics.refused.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      text += "registrar_submissions_refused_total{code=\"\(code.rawValue)\"} \(count)\n"
    }
    counter(
      "registrar_submissions_unavailable_total", "Submissions that could not be answered.", metrics.unavailable,
      to: &text)
    batches(metrics.batchSizes, to: &text)
    counter(
      "registrar_commit_retries_total", "Batches that were run again, after a lost connection or a conflict.",
      metrics.batchRetries, to: &text)
    gauge("registrar_submissions_waiting", "Submissions that wait.", metrics.queued, to: &text)
    counter("registrar_cache_hits_total", "Look-ups of users answered from memory.", metrics.memoryHits, to: &text)
    counter(
      "registrar_cache_misses_total", "Look-ups of users that needed the database.", metrics.memoryMisses, to: &text)
    counter(
      "registrar_cache_evictions_total", "Users put out of memory to make room.", metrics.memoryEvictions, to: &text)
    gauge("registrar_cache_users", "Users in memory.", metrics.memoryUsers, to: &text)
    gauge("registrar_cache_bytes", "Bytes they take, by a careful estimate.", metrics.memoryBytes, to: &text)
    counter(
      "registrar_clock_held_total", "How often the clock was behind the newest entry, whose time was used instead.",
      metrics.clockHeldBack, to: &text)
    gauge("registrar_clock_right", "Whether the clock is taken to be right.", metrics.isClockRight ? 1 : 0, to: &text)
    gauge("registrar_database_up", "Whether the database answers.", metrics.isDatabaseUp ? 1 : 0, to: &text)
    return Array(text.utf8)
  }

  private static func head(_ name: String, _ type: String, _ help: String, to text: inout String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private static func counter(_ name: String, _ help: String, _ value: Int, to text: inout String) {
    head(name, "counter", help, to: &text)
    text += "\(name) \(value)\n"
  }

  private static func gauge(_ name: String, _ help: String, _ value: Int, to text: inout String) {
    head(name, "gauge", help, to: &text)
    text += "\(name) \(value)\n"
  }

  private static func batches(_ sizes: RegistryMetrics.BatchSizes, to text: inout String) {
    let name = "registrar_commit_batch_entries"
    head(name, "histogram", "Entries of committed batches.", to: &text)
    var total = 0
    for (bound, count) in zip(RegistryMetrics.BatchSizes.bounds, sizes.counts) {
      total += count
      text += "\(name)_bucket{le=\"\(bound)\"} \(total)\n"
    }
    text +=
      "\(name)_bucket{le=\"+Inf\"} \(sizes.batches)\n\(name)_sum \(sizes.entries)\n\(name)_count \(sizes.batches)\n"
  }
}
