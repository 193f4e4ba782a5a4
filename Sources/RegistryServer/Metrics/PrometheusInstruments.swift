import CoreMetrics
import Synchronization

/// The type of a metric, as `# TYPE` names it.
enum MetricKind: String, Sendable {
  case counter
  case gauge
  case histogram
}

/// One time series, or the several of a histogram.
protocol PrometheusInstrument: AnyObject, Sendable {
  /// Appends the lines of the instrument.
  func write(_ name: String, _ labels: MetricLabels, to text: inout String)
}

/// Counts whole steps.
final class PrometheusCounter: CounterHandler, PrometheusInstrument {
  private let value = Atomic<Int64>(0)

  func increment(by amount: Int64) { value.add(amount, ordering: .relaxed) }
  func reset() { value.store(0, ordering: .relaxed) }

  func write(_ name: String, _ labels: MetricLabels, to text: inout String) {
    text += "\(name)\(labels.text()) \(value.load(ordering: .relaxed))\n"
  }
}

/// Counts parts.
final class PrometheusSum: FloatingPointCounterHandler, PrometheusInstrument {
  private let value = Mutex(0.0)

  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func reset() { value.withLock { $0 = 0 } }

  func write(_ name: String, _ labels: MetricLabels, to text: inout String) {
    text += "\(name)\(labels.text()) \(MetricText.number(value.withLock { $0 }))\n"
  }
}

/// A value that goes up and down.
final class PrometheusGauge: MeterHandler, RecorderHandler, PrometheusInstrument {
  private let value = Mutex(0.0)

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.withLock { $0 = value } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(value) }
  func record(_ value: Double) { set(value) }

  func write(_ name: String, _ labels: MetricLabels, to text: inout String) {
    text += "\(name)\(labels.text()) \(MetricText.number(value.withLock { $0 }))\n"
  }
}

/// How often values lay in each of several ranges.
final class PrometheusHistogram: RecorderHandler, TimerHandler, PrometheusInstrument {
  private struct Counts {
    /// One per bound, and one for what is above all of them; not cumulative.
    var counts: [Int64]
    var sum = 0.0
  }

  private let bounds: [Double]
  private let counts: Mutex<Counts>

  /// - Parameter bounds: upper bounds, ascending, inclusive.
  init(bounds: [Double]) {
    self.bounds = bounds
    counts = Mutex(Counts(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  func record(_ value: Int64) { record(Double(value)) }
  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

  func record(_ value: Double) {
    let place = bounds.firstIndex { value <= $0 } ?? bounds.count
    counts.withLock { counts in
      counts.counts[place] += 1
      counts.sum += value
    }
  }

  /// Adds what was counted elsewhere: as many values for each range, and their sum.
  func add(_ further: [Int64], sum: Double) {
    counts.withLock { counts in
      for (place, count) in zip(counts.counts.indices, further) { counts.counts[place] += count }
      counts.sum += sum
    }
  }

  func write(_ name: String, _ labels: MetricLabels, to text: inout String) {
    let (counts, sum) = self.counts.withLock { ($0.counts, $0.sum) }
    var total: Int64 = 0
    for (place, count) in counts.enumerated() {
      total += count
      let bound = place < bounds.count ? MetricText.number(bounds[place]) : "+Inf"
      text += "\(name)_bucket\(labels.text(adding: ("le", bound))) \(total)\n"
    }
    text += "\(name)_sum\(labels.text()) \(MetricText.number(sum))\n"
    text += "\(name)_count\(labels.text()) \(total)\n"
  }
}

/// The labels of a time series, sorted by name.
struct MetricLabels: Hashable, Comparable, Sendable {
  private struct Label: Hashable {
    let name: String
    let value: String
  }

  private let labels: [Label]

  /// Of labels with the same name the first counts.
  init(_ dimensions: [(String, String)]) {
    var seen: Set<String> = []
    let labels = dimensions.map { Label(name: MetricText.labelName($0.0), value: $0.1) }
    self.labels = labels.filter { seen.insert($0.name).inserted }.sorted { $0.name < $1.name }
  }

  /// The labels in braces; nothing without any.
  func text(adding last: (name: String, value: String)? = nil) -> String {
    var parts = labels.map { "\($0.name)=\"\(MetricText.labelValue($0.value))\"" }
    if let last { parts.append("\(last.name)=\"\(MetricText.labelValue(last.value))\"") }
    return parts.isEmpty ? "" : "{\(parts.joined(separator: ","))}"
  }

  static func < (left: MetricLabels, right: MetricLabels) -> Bool { left.text() < right.text() }
}

/// Spellings of the exposition format.
enum MetricText {
  /// A metric's name: letters, digits, `_` and `:`, no digit first.
  static func name(_ text: String) -> String { identifier(text, others: "_:") }

  /// A label's name: letters, digits and `_`, no digit first.
  static func labelName(_ text: String) -> String { identifier(text, others: "_") }

  private static func identifier(_ text: String, others: String) -> String {
    let isLetter: (Unicode.Scalar) -> Bool = { ("a"..."z").contains($0) || ("A"..."Z").contains($0) }
    var name = ""
    for scalar in text.unicodeScalars {
      let isAllowed = isLetter(scalar) || ("0"..."9").contains(scalar) || others.unicodeScalars.contains(scalar)
      name.unicodeScalars.append(isAllowed ? scalar : "_")
    }
    guard let first = name.unicodeScalars.first, !("0"..."9").contains(first) else { return "_" + name }
    return name
  }

  /// A label's value without its quotes.
  static func labelValue(_ text: String) -> String { escaped(text, quotes: true) }

  /// The text of a `# HELP`.
  static func help(_ text: String) -> String { escaped(text, quotes: false) }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// A number as Go reads it.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    return String(value)
  }
}
