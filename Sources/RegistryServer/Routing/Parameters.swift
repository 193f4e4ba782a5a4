import HTTPFormat
import KeyRecords
import PeerstackFormat
import RegistryAPI

/// The query parameters of a request. Those that a resource does not know are ignored; those it knows are read strictly.
struct Parameters: Sendable {
  private let items: QueryItems?

  /// Reads the query; a broken one is `invalid-field` with the parameter at fault.
  init(_ head: RequestHead) throws(Problem) {
    guard let query = head.query else {
      items = nil
      return
    }
    do throws(QueryItems.SyntaxError) {
      items = try QueryItems(parsing: query)
    } catch {
      throw .invalidParameter(error.parameter)
    }
  }

  /// The value of a parameter, which may be given once; nil without it.
  func text(_ name: String) throws(Problem) -> String? {
    guard let items else { return nil }
    switch items.count(of: name) {
    case 0: return nil
    case 1: return items[name]
    default: throw .invalidParameter(name)
    }
  }

  /// A plain decimal number: no sign, no zeros in front, at most 2⁵³ − 1.
  func integer(_ name: String, in range: ClosedRange<Int64> = 0...JSONValue.maxSafeInteger) throws(Problem) -> Int64? {
    guard let text = try text(name) else { return nil }
    guard let number = PlainDecimal.value(of: text), range.contains(number) else { throw .invalidParameter(name) }
    return number
  }

  /// `true` or `false`; false without it.
  func flag(_ name: String) throws(Problem) -> Bool {
    switch try text(name) {
    case nil, "false": return false
    case "true": return true
    default: throw .invalidParameter(name)
    }
  }
}

/// Numbers as paths and queries spell them: one spelling each.
enum PlainDecimal {
  /// Digits of 2⁵³ − 1.
  private static let mostDigits = 16

  /// The number; nil for a sign, a zero in front, anything but digits, and what is above 2⁵³ − 1.
  static func value(of text: String) -> Int64? {
    let digits = text.utf8
    guard (1...mostDigits).contains(digits.count), digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
      digits.first != UInt8(ascii: "0") || digits.count == 1, let value = Int64(text), value <= JSONValue.maxSafeInteger
    else { return nil }
    return value
  }
}
