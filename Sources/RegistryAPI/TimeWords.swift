import Glibc
public import KeyRecords

/// Times and spans as people read and write them.
public enum TimeWords {
  /// Milliseconds since 1970 as `2026-11-24 10:00:00 UTC`.
  public static func utc(_ time: Milliseconds) -> String {
    var seconds = time_t(time / 1_000)
    var fields = tm()
    guard gmtime_r(&seconds, &fields) != nil else { return "\(time) ms since 1970" }
    var buffer = [CChar](repeating: 0, count: 64)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S UTC", &fields)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A span as `3 days`, `12 hours`, `90 s`.
  public static func span(_ span: Milliseconds) -> String {
    for (unit, name) in [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute")] as [(Milliseconds, String)]
    where span >= unit && span % unit == 0 {
      return span == unit ? "1 \(name)" : "\(span / unit) \(name)s"
    }
    return span % 1_000 == 0 ? "\(span / 1_000) s" : "\(span) ms"
  }

  /// The span that somebody wrote as `30d`, `12h`, `90m`, `45s` or `0`; nil for anything else, and for one that is too
  /// long to count.
  public static func span(written text: String) -> Milliseconds? {
    let units: [Character: Milliseconds] = ["s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    if text == "0" { return 0 }
    guard let unit = text.last.flatMap({ units[$0] }), let number = Milliseconds(text.dropLast()), number >= 0 else {
      return nil
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow ? nil : product
  }
}
