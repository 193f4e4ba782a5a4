/// Dates as `Date` and its like carry them: `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate, RFC 9110 §5.6.7).
public enum HTTPDate {
  /// Seconds since 1970 of the last moment that has a four-digit year.
  static let latestSecond = 253_402_300_799

  /// The 29 bytes for a time in seconds since 1970; one outside the years 1970…9999 becomes the nearest inside.
  public static func bytes(epochSeconds: Int64) -> [UInt8] {
    let seconds = min(max(Int(epochSeconds), 0), latestSecond)
    let days = seconds / 86_400
    let time = seconds % 86_400
    let date = CivilDate(daysSince1970: days)
    var output: [UInt8] = []
    output.reserveCapacity(29)
    // 1970-01-01 was a Thursday, the first of `weekdays`.
    output.append(contentsOf: weekdays[days % 7].utf8)
    appendDigits(date.day, 2, to: &output)
    output.append(contentsOf: months[date.month - 1].utf8)
    appendDigits(date.year, 4, to: &output)
    output.append(ASCII.space)
    appendDigits(time / 3600, 2, to: &output)
    output.append(ASCII.colon)
    appendDigits(time / 60 % 60, 2, to: &output)
    output.append(ASCII.colon)
    appendDigits(time % 60, 2, to: &output)
    output.append(contentsOf: " GMT".utf8)
    return output
  }

  private static let weekdays = ["Thu, ", "Fri, ", "Sat, ", "Sun, ", "Mon, ", "Tue, ", "Wed, "]
  private static let months = [
    " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec ",
  ]

  private static func appendDigits(_ number: Int, _ count: Int, to output: inout [UInt8]) {
    if count > 1 { appendDigits(number / 10, count - 1, to: &output) }
    output.append(ASCII.zero + UInt8(number % 10))
  }
}

/// A day of the Gregorian calendar.
private struct CivilDate {
  let year: Int
  let month: Int
  let day: Int

  /// Counts in years that begin in March, so that the leap day is the last day of its year, and in cycles of 400 years.
  init(daysSince1970: Int) {
    let days = daysSince1970 + 719_468  // since 0000-03-01
    let cycle = days / 146_097
    let dayOfCycle = days % 146_097
    let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
    let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0)
  }
}
