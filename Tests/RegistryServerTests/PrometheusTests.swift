import CoreMetrics
import Testing

@testable import RegistryServer

@Suite("Prometheus text") struct PrometheusTests {
  private func text(_ backend: PrometheusMetrics) -> String { String(decoding: backend.text(), as: UTF8.self) }

  @Test("counters and gauges, with labels sorted and escaped")
  func simpleInstruments() {
    let backend = PrometheusMetrics()
    backend.describe("requests_total", "All of them.\nEver \\ more.")
    let labels = [("route", "/a \"b\" \\c\n"), ("method", "GET")]
    Counter(label: "requests_total", dimensions: labels, factory: backend).increment(by: 2)
    Counter(label: "requests_total", dimensions: labels.reversed(), factory: backend).increment()
    let meter = Meter(label: "open.connections", factory: backend)
    meter.set(7)
    meter.decrement(by: 2.5)
    #expect(
      text(backend) == #"""
        # TYPE open_connections gauge
        open_connections 4.5
        # HELP requests_total All of them.\nEver \\ more.
        # TYPE requests_total counter
        requests_total{method="GET",route="/a \"b\" \\c\n"} 3

        """#)
  }

  @Test("a histogram is cumulative, inclusive and ends in +Inf")
  func histogram() {
    let backend = PrometheusMetrics()
    let recorder = Recorder(label: "size", dimensions: [("x", "1")], factory: backend)
    for value in [1, 2, 2, 1_000, 1_001] { recorder.record(value) }
    let lines = text(backend).split(separator: "\n")
    #expect(lines.first == "# TYPE size histogram")
    #expect(lines.contains(#"size_bucket{x="1",le="1"} 1"#))
    #expect(lines.contains(#"size_bucket{x="1",le="2"} 3"#))
    #expect(lines.contains(#"size_bucket{x="1",le="500"} 3"#))
    #expect(lines.contains(#"size_bucket{x="1",le="1000"} 4"#))
    #expect(lines.contains(#"size_bucket{x="1",le="+Inf"} 5"#))
    #expect(lines.contains(#"size_sum{x="1"} 2006"#))
    #expect(lines.last == #"size_count{x="1"} 5"#)
  }

  @Test("durations are in seconds")
  func durations() {
    let backend = PrometheusMetrics()
    Timer(label: "took_seconds", factory: backend).recordNanoseconds(2_500_000)
    let lines = text(backend).split(separator: "\n")
    #expect(lines.contains(#"took_seconds_bucket{le="0.001"} 0"#))
    #expect(lines.contains(#"took_seconds_bucket{le="0.0025"} 1"#))
    #expect(lines.contains("took_seconds_sum 0.0025"))
  }

  @Test("a family has one type, and a destroyed series is gone")
  func families() {
    let backend = PrometheusMetrics()
    let counter = Counter(label: "a", dimensions: [("b", "1")], factory: backend)
    Meter(label: "a", factory: backend).set(3)
    counter.increment()
    #expect(text(backend) == "# TYPE a counter\na{b=\"1\"} 1\n")
    counter.destroy()
    #expect(text(backend) == "")
  }

  @Test(
    "numbers as Prometheus reads them",
    arguments: [
      (Double.infinity, "+Inf"), (-Double.infinity, "-Inf"), (Double.nan, "NaN"), (0, "0"), (-3, "-3"), (0.1, "0.1"),
      (1e300, "1e+300"),
    ])
  func numbers(value: Double, text: String) {
    #expect(MetricText.number(value) == text)
  }

  @Test("names are made of what names may have")
  func names() {
    #expect(MetricText.name("9a.b-c:d") == "_9a_b_c:d")
    #expect(MetricText.labelName("a:b") == "a_b")
    #expect(MetricText.name("") == "_")
  }
}
