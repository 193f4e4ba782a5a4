import Cryptography
import KeyRecords
import PeerstackFormat

/// JSON of cards in few bytes: keys, hashes and signatures as the bytes they are, words that every card has as one byte,
/// and repeated texts as a number. What a card says in 2,000 characters then fits a QR code.
///
/// There is one packed form of a value: what is read is packed again, and must come out the same.
enum PackedJSON {
  /// Bytes of all texts of a value: a short packed form must not become a long value.
  static let maxTextBytes = 256 << 10
  /// Nested containers: the card, a list, an entry, and a record with its own sixteen.
  static let maxDepth = JSONLimits.strictMaxDepth + 3

  /// The packed form; nil for values that cards do not have: fractions, negative numbers, lone surrogates.
  static func pack(_ value: JSONValue) -> [UInt8]? {
    var packer = Packer()
    guard let ordered = try? JSONValue.parseStrict(CanonicalJSON.bytes(of: value), maxDepth: maxDepth) else {
      return nil
    }
    return packer.append(ordered) ? packer.bytes : nil
  }

  /// The value of a packed form; nil for anything else.
  static func unpack(_ bytes: [UInt8]) -> JSONValue? {
    var unpacker = Unpacker(bytes)
    guard let value = unpacker.value(depth: 1), unpacker.isAtEnd, pack(value) == bytes else { return nil }
    return value
  }
}

private struct Packer {
  private(set) var bytes: [UInt8] = []
  private var places: [String: Int] = [:]

  /// False for what cannot be packed. The depth was limited when the value was read.
  mutating func append(_ value: JSONValue) -> Bool {
    switch value {
    case .null: bytes.append(PackedTag.null)
    case .bool(let bool): bytes.append(bool ? PackedTag.yes : PackedTag.no)
    case .number:
      guard let integer = value.integer, integer >= 0 else { return false }
      bytes.append(PackedTag.integer)
      append(UInt64(integer))
    case .string(let string): return append(string)
    case .array(let elements):
      bytes.append(PackedTag.array)
      append(UInt64(elements.count))
      for element in elements { guard append(element) else { return false } }
    case .object(let object):
      bytes.append(PackedTag.object)
      append(UInt64(object.count))
      for (name, value) in object.members { guard append(name), append(value) else { return false } }
    }
    return true
  }

  /// Seven bits a byte, the low ones first; all but the last have the high bit.
  private mutating func append(_ number: UInt64) {
    var rest = number
    while rest > 0x7f {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ string: JSONString) -> Bool {
    guard let text = string.string else { return false }
    if let word = PackedWords.places[text] {
      bytes.append(PackedTag.word + word)
    } else if let place = places[text] {
      bytes.append(PackedTag.earlier)
      append(UInt64(place))
    } else if let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), let place = places[String(text[..<colon])] {
      bytes.append(PackedTag.earlierWithMore)
      append(UInt64(place))
      append(Array(text[colon...].utf8))
    } else {
      places[text] = places.count
      appendNew(text)
    }
    return true
  }

  private mutating func append(_ text: [UInt8]) {
    append(UInt64(text.count))
    bytes += text
  }

  private mutating func appendNew(_ text: String) {
    if let (time, rest) = PackedUserID.numbers(text) {
      bytes.append(PackedTag.userID)
      bytes += PackedUserID.bytes(time, PackedUserID.timeBytes) + PackedUserID.bytes(rest, PackedUserID.restBytes)
    } else if text.utf8.count == RecordHash.textCount, let hash = Hex.decode(text) {
      bytes.append(PackedTag.hexOf32)
      bytes += hash
    } else if let decoded = Base64.decodeCanonical(text), decoded.count == Bytes32.count {
      bytes.append(PackedTag.base64Of32)
      bytes += decoded
    } else if let decoded = Base64.decodeCanonical(text), decoded.count == Signature.count {
      bytes.append(PackedTag.base64Of64)
      bytes += decoded
    } else {
      bytes.append(PackedTag.text)
      append(Array(text.utf8))
    }
  }
}

/// A user id of today's kind as two numbers.
private enum PackedUserID {
  static let timeBytes = 7
  static let restBytes = 10
  private static let timeDigits = UserID.count - UserID.boundCount

  static func numbers(_ text: String) -> (UInt128, UInt128)? {
    guard text.utf8.count == UserID.count, UserID(text) != nil,
      let time = UInt128(text.prefix(timeDigits), radix: 36),
      let rest = UInt128(text.dropFirst(timeDigits), radix: 36)
    else { return nil }
    return (time, rest)
  }

  static func text(_ time: UInt128, _ rest: UInt128) -> String? {
    func padded(_ number: UInt128, _ count: Int) -> String? {
      let digits = String(number, radix: 36)
      guard digits.utf8.count <= count else { return nil }
      return String(repeating: "0", count: count - digits.utf8.count) + digits
    }
    guard let time = padded(time, timeDigits), let rest = padded(rest, UserID.boundCount) else { return nil }
    return time + rest
  }

  static func bytes(_ number: UInt128, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> UInt128(8 * $0)) }
  }
}

private struct Unpacker {
  private let bytes: [UInt8]
  private var position = 0
  private var texts: [String] = []
  private var textBytes = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func value(depth: Int) -> JSONValue? {
    guard depth <= PackedJSON.maxDepth + 1, let tag = byte() else { return nil }
    switch tag {
    case PackedTag.null: return .null
    case PackedTag.no: return .bool(false)
    case PackedTag.yes: return .bool(true)
    case PackedTag.integer:
      guard let number = number(), number <= UInt64(JSONValue.maxSafeInteger) else { return nil }
      return .integer(Int64(number))
    case PackedTag.array:
      guard let count = count() else { return nil }
      var elements: [JSONValue] = []
      for _ in 0..<count {
        guard let element = value(depth: depth + 1) else { return nil }
        elements.append(element)
      }
      return .array(elements)
    case PackedTag.object: return object(depth: depth)
    default: return text(tag).map { .text($0) }
    }
  }

  private mutating func object(depth: Int) -> JSONValue? {
    guard let count = count() else { return nil }
    var members: [(JSONString, JSONValue)] = []
    for _ in 0..<count {
      guard let tag = byte(), let name = text(tag), let value = value(depth: depth + 1) else { return nil }
      members.append((JSONString(name), value))
    }
    let object = JSONObject(members)
    // Of a name that comes twice one value would be lost.
    return object.count == count ? .object(object) : nil
  }

  private mutating func text(_ tag: UInt8) -> String? {
    let text: String?
    switch tag {
    case PackedTag.earlier: text = earlier()
    case PackedTag.earlierWithMore:
      guard let start = earlier(), let more = string() else { return nil }
      text = start + more
    case PackedTag.word...:
      let place = Int(tag - PackedTag.word)
      text = PackedWords.all.indices.contains(place) ? PackedWords.all[place] : nil
    default:
      text = newText(tag)
      if let text { texts.append(text) }
    }
    textBytes += text?.utf8.count ?? 0
    return textBytes <= PackedJSON.maxTextBytes ? text : nil
  }

  private mutating func newText(_ tag: UInt8) -> String? {
    switch tag {
    case PackedTag.text: return string()
    case PackedTag.base64Of32: return take(Bytes32.count).map { Base64.encode($0) }
    case PackedTag.base64Of64: return take(Signature.count).map { Base64.encode($0) }
    case PackedTag.hexOf32: return take(Bytes32.count).map { Hex.encode($0) }
    case PackedTag.userID:
      guard let time = take(PackedUserID.timeBytes), let rest = take(PackedUserID.restBytes) else { return nil }
      func number(_ bytes: [UInt8]) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
      return PackedUserID.text(number(time), number(rest))
    default: return nil
    }
  }

  private mutating func earlier() -> String? {
    guard let place = number(), place < UInt64(texts.count) else { return nil }
    return texts[Int(place)]
  }

  private mutating func string() -> String? {
    guard let count = count(), let bytes = take(count) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  /// A number of things that take at least a byte each.
  private mutating func count() -> Int? {
    guard let number = number(), number <= UInt64(bytes.count - position) else { return nil }
    return Int(number)
  }

  private mutating func number() -> UInt64? {
    var number: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 63, by: 7) {
      guard let byte = byte() else { return nil }
      number |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return number }
    }
    return nil
  }

  private mutating func byte() -> UInt8? {
    guard position < bytes.count else { return nil }
    position += 1
    return bytes[position - 1]
  }

  private mutating func take(_ count: Int) -> [UInt8]? {
    guard count <= bytes.count - position else { return nil }
    position += count
    return Array(bytes[(position - count)..<position])
  }
}
