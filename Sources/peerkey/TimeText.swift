import Glibc
import KeyRecords
import RegistryClient

/// Times as people write them, and how long ago they were.
enum TimeText {
  /// How long ago a time was, in one unit: `3 h`.
  static func age(of time: Milliseconds) -> String {
    let age = max(0, SystemClock().now() - time)
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min")] as [(Milliseconds, String)]
    where age >= unit {
      return "\(age / unit) \(name)"
    }
    return "\(age / 1_000) s"
  }

  /// Reads `2026-11-24`, `2026-11-24T10:00:00Z` or milliseconds since 1970.
  static func time(_ text: String) -> Milliseconds? {
    if let number = Milliseconds(text), number >= 0 { return number }
    let parts = text.split(separator: "T", omittingEmptySubsequences: false)
    guard let day = numbers(parts[0], separator: "-", counts: [4, 2, 2]), parts.count <= 2 else { return nil }
    var clock = [0, 0, 0]
    if parts.count == 2 {
      guard parts[1].last == "Z", let given = numbers(parts[1].dropLast(), separator: ":", counts: [2, 2, 2]) else {
        return nil
      }
      clock = given
    }
    var fields = tm()
    fields.tm_year = Int32(day[0] - 1900)
    fields.tm_mon = Int32(day[1] - 1)
    fields.tm_mday = Int32(day[2])
    fields.tm_hour = Int32(clock[0])
    fields.tm_min = Int32(clock[1])
    fields.tm_sec = Int32(clock[2])
    let wanted = fields
    let seconds = timegm(&fields)
    // timegm carries what is too large over: the 31st of April is no day.
    guard seconds >= 0, fields.tm_mday == wanted.tm_mday, fields.tm_mon == wanted.tm_mon,
      fields.tm_hour == wanted.tm_hour, fields.tm_min == wanted.tm_min, fields.tm_sec == wanted.tm_sec
    else { return nil }
    return Milliseconds(seconds) * 1_000
  }

  private static func numbers(_ text: Substring, separator: Character, counts: [Int]) -> [Int]? {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
    guard parts.count == counts.count else { return nil }
    let numbers = zip(parts, counts).compactMap { part, count in
      part.utf8.count == count && part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
    }
    return numbers.count == counts.count ? numbers : nil
  }
}
