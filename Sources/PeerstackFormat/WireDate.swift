/// A text of exactly the form `2020-01-01T00:00:00.000Z`, which the library makes a `Date`.
struct WireDate {
  private static let form = Array("dddd-dd-ddTdd:dd:dd.dddZ".utf8)

  private let year: Int
  private let month: Int
  private let day: Int
  private let hour: Int
  private let minute: Int
  private let second: Int
  private let millisecond: Int

  /// Nil for a text of another form.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.form.count else { return nil }
    for (byte, expected) in zip(bytes, Self.form) {
      let isDigit = byte &- UInt8(ascii: "0") < 10
      guard expected == UInt8(ascii: "d") ? isDigit : byte == expected else { return nil }
    }
    func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } }
    year = number(0..<4)
    month = number(5..<7)
    day = number(8..<10)
    hour = number(11..<13)
    minute = number(14..<16)
    second = number(17..<19)
    millisecond = number(20..<23)
  }

  /// The text JavaScript writes for the date; `null` if it is none. Days past the end of their month and the hour 24
  /// run over into what follows.
  var value: JSONValue {
    guard (1...12).contains(month), (1...31).contains(day), isTimeOfDay else { return .null }
    var date = (year: year, month: month, day: day)
    if hour == 24 { date.day += 1 }
    let length = Self.days(inMonth: month, of: year)
    if date.day > length {
      date.day -= length
      date.month += 1
    }
    if date.month > 12 { date = (date.year + 1, 1, date.day) }
    let yearText = date.year > 9999 ? "+" + Self.padded(date.year, 6) : Self.padded(date.year, 4)
    let time = [hour % 24, minute, second].map { Self.padded($0, 2) }.joined(separator: ":")
    return .text(
      "\(yearText)-\(Self.padded(date.month, 2))-\(Self.padded(date.day, 2))T\(time).\(Self.padded(millisecond, 3))Z")
  }

  private var isTimeOfDay: Bool {
    if hour == 24 { return minute == 0 && second == 0 && millisecond == 0 }
    return hour < 24 && minute < 60 && second < 60
  }

  private static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static func padded(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
}
