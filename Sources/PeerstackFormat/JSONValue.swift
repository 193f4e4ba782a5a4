/// A JSON value as JavaScript holds it after `JSON.parse`.
public enum JSONValue: Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A double; texts beyond its range are infinite, and written as `null`.
  case number(Double)
  /// A string.
  case string(JSONString)
  /// An array.
  case array([JSONValue])
  /// An object.
  case object(JSONObject)

  /// The largest integer that doubles count without gaps: 2⁵³ − 1.
  public static let maxSafeInteger: Int64 = 1 << 53 - 1

  /// The text of a string without lone surrogates.
  public var string: String? {
    if case .string(let string) = self { string.string } else { nil }
  }

  /// The string, lone surrogates and all.
  public var jsonString: JSONString? {
    if case .string(let string) = self { string } else { nil }
  }

  /// The number, finite or not.
  public var number: Double? {
    if case .number(let number) = self { number } else { nil }
  }

  /// The number, if it is integral and within ±(2⁵³ − 1).
  public var integer: Int64? {
    guard case .number(let number) = self, let integer = JSONNumber.integer(number),
      integer.magnitude <= Self.maxSafeInteger
    else { return nil }
    return integer
  }

  /// The truth value.
  public var bool: Bool? {
    if case .bool(let bool) = self { bool } else { nil }
  }

  /// The elements.
  public var array: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The object.
  public var object: JSONObject? {
    if case .object(let object) = self { object } else { nil }
  }

  /// Whether this is `null`.
  public var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// An integer; those beyond ±(2⁵³ − 1) are rounded.
  public static func integer(_ value: Int64) -> JSONValue {
    .number(Double(value))
  }

  /// A string without lone surrogates.
  public static func text(_ value: String) -> JSONValue {
    .string(JSONString(value))
  }
}

extension JSONValue: Hashable {
  // Both walk with a stack of their own: deep values must not overflow the thread's.

  /// Equality of the values: the order of members does not matter, -0 equals 0.
  public static func == (left: JSONValue, right: JSONValue) -> Bool {
    var pending = [(left, right)]
    while let (left, right) = pending.popLast() {
      switch (left, right) {
      case (.null, .null): continue
      case (.bool(let left), .bool(let right)) where left == right: continue
      case (.number(let left), .number(let right)) where left == right: continue
      case (.string(let left), .string(let right)) where left == right: continue
      case (.array(let left), .array(let right)) where left.count == right.count:
        pending.append(contentsOf: zip(left, right))
      case (.object(let left), .object(let right)) where left.count == right.count:
        for (leftPosition, rightPosition) in zip(left.positionsByName, right.positionsByName) {
          let leftMember = left.storage[leftPosition]
          let rightMember = right.storage[rightPosition]
          guard leftMember.name == rightMember.name else { return false }
          pending.append((leftMember.value, rightMember.value))
        }
      default: return false
      }
    }
    return true
  }

  /// Feeds everything equality looks at.
  public func hash(into hasher: inout Hasher) {
    var pending = [self]
    while let value = pending.popLast() {
      switch value {
      case .null: hasher.combine(0)
      case .bool(let bool): hasher.combine(bool)
      case .number(let number): hasher.combine(number)
      case .string(let string): hasher.combine(string)
      case .array(let elements):
        hasher.combine(elements.count)
        pending.append(contentsOf: elements)
      case .object(let object):
        hasher.combine(object.count)
        for position in object.positionsByName {
          hasher.combine(object.storage[position].name)
          pending.append(object.storage[position].value)
        }
      }
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A number.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object.
  public init(dictionaryLiteral elements: (JSONString, JSONValue)...) { self = .object(JSONObject(elements)) }
}
