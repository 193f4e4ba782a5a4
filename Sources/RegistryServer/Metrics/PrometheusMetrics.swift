public import CoreMetrics
import Synchronization

/// A backend of swift-metrics that writes the Prometheus text format, version 0.0.4.
///
/// Timers and aggregating recorders become histograms, durations in seconds; meters and other recorders become gauges.
/// Asking twice for the same name and dimensions gives the same instrument.
public final class PrometheusMetrics: MetricsFactory {
  /// The media type of ``text()``.
  public static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

  /// Upper bounds in seconds: from an answer out of memory to a request that is about to be given up.
  static let durationBounds = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  ]
  /// Upper bounds of what is counted.
  static let sizeBounds: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]

  private struct Family {
    let kind: MetricKind
    var series: [MetricLabels: any PrometheusInstrument] = [:]
  }

  private struct State {
    var families: [String: Family] = [:]
    var helps: [String: String] = [:]
  }

  private let state = Mutex(State())

  /// No instruments yet.
  public init() {}

  /// Says what a metric counts.
  public func describe(_ name: String, _ help: String) {
    state.withLock { $0.helps[MetricText.name(name)] = help }
  }

  /// Everything there is, by name.
  public func text() -> [UInt8] {
    let (families, helps) = state.withLock { ($0.families, $0.helps) }
    var text = ""
    for (name, family) in families.sorted(by: { $0.key < $1.key }) {
      if let help = helps[name] { text += "# HELP \(name) \(MetricText.help(help))\n" }
      text += "# TYPE \(name) \(family.kind.rawValue)\n"
      for (labels, instrument) in family.series.sorted(by: { $0.key < $1.key }) {
        instrument.write(name, labels, to: &text)
      }
    }
    return Array(text.utf8)
  }

  /// The instrument of a name and its dimensions. One that contradicts an earlier one of the name is not shown: a family
  /// has one type.
  private func instrument<Instrument: PrometheusInstrument>(
    _ label: String, _ dimensions: [(String, String)], _ kind: MetricKind, _ make: () -> Instrument
  ) -> Instrument {
    let labels = MetricLabels(dimensions)
    return state.withLock { state in
      var family = state.families[MetricText.name(label)] ?? Family(kind: kind)
      guard family.kind == kind else { return make() }
      if let instrument = family.series[labels] as? Instrument { return instrument }
      let instrument = make()
      family.series[labels] = instrument
      state.families[MetricText.name(label)] = family
      return instrument
    }
  }

  private func remove(_ instrument: AnyObject) {
    state.withLock { state in
      for (name, family) in state.families {
        let series = family.series.filter { $0.value !== instrument }
        guard series.count < family.series.count else { continue }
        state.families[name] = series.isEmpty ? nil : Family(kind: family.kind, series: series)
      }
    }
  }
}

// MARK: - MetricsFactory

extension PrometheusMetrics {
  /// A counter of whole steps.
  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    instrument(label, dimensions, .counter) { PrometheusCounter() }
  }

  /// A counter of parts.
  public func makeFloatingPointCounter(
    label: String, dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    instrument(label, dimensions, .counter) { PrometheusSum() }
  }

  /// A gauge.
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    instrument(label, dimensions, .gauge) { PrometheusGauge() }
  }

  /// A histogram of sizes, or a gauge without `aggregate`.
  public func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    guard aggregate else { return instrument(label, dimensions, .gauge) { PrometheusGauge() } }
    return instrument(label, dimensions, .histogram) { PrometheusHistogram(bounds: Self.sizeBounds) }
  }

  /// A histogram of durations in seconds.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    instrument(label, dimensions, .histogram) { PrometheusHistogram(bounds: Self.durationBounds) }
  }

  /// Forgets a counter.
  public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
  /// Forgets a counter.
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
  /// Forgets a gauge.
  public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
  /// Forgets a histogram or gauge.
  public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
  /// Forgets a histogram.
  public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}
