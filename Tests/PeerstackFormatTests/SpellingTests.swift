import Cryptography
import PeerstackFormat
import Testing

/// One value has many texts: with whitespace or without, names in any order, characters escaped or not. Some of them the
/// reader copies as they stand, others it writes anew. What comes out must be the text that is written from the value,
/// which no parser has had a part in.
@Suite struct SpellingTests {
  private static let seeds: ClosedRange<UInt64> = 1...4
  private static let rounds = 150

  @Test(arguments: seeds)
  func everySpellingGivesTheSameText(seed: UInt64) throws {
    var speller = Speller(seed: seed)
    var reader = SignedObjectReader()
    for _ in 0..<Self.rounds {
      let value = speller.hashedValue()
      let expected = CanonicalJSON.bytesWithoutSignature(of: value)
      for style in [Speller.Style.compact, .sorted, .wild] {
        let text = speller.text(of: value, style)
        try reader.read(text)
        #expect(reader.canonicalText == expected, "\(String(decoding: text, as: UTF8.self))")
        #expect(reader.hash == ObjectHash.hash(of: value))
        #expect(reader.id == value.object?["id"]?.jsonString && reader.type == value.object?["type"]?.jsonString)
        #expect(reader.signature == value.object?["signature"]?.jsonString)
        #expect(try JSONValue.parseLenient(text) == value)
      }
    }
  }

  /// Canonical text is taken as it stands, and stays so.
  @Test(arguments: seeds)
  func canonicalTextStays(seed: UInt64) throws {
    var speller = Speller(seed: seed)
    var reader = SignedObjectReader()
    for _ in 0..<Self.rounds {
      let canonical = CanonicalJSON.bytesWithoutSignature(of: speller.hashedValue())
      try reader.read(canonical)
      #expect(reader.canonicalText == canonical)
      // With something behind it that is not verbatim, and as one of several.
      try reader.read(utf8("[") + canonical + utf8(",1e0,") + canonical + utf8("]"))
      #expect(reader.canonicalText == utf8("[") + canonical + utf8(",1,") + canonical + utf8("]"))
    }
  }

  /// The strict reader takes the same names for repeated, whatever their order.
  @Test(arguments: seeds)
  func repeatedNames(seed: UInt64) throws {
    var speller = Speller(seed: seed)
    for _ in 0..<Self.rounds {
      let names = (0..<Int.random(in: 0...20, using: &speller.generator)).map { _ in
        speller.string(isIllFormed: false)
      }
      let members = names.map { speller.text(of: .string($0), .wild) + utf8(":0") }
      let text = utf8("{") + Array(members.joined(separator: utf8(","))) + utf8("}")
      let strict = try? JSONValue.parseStrict(text)
      #expect((strict != nil) == (Set(names).count == names.count), "\(String(decoding: text, as: UTF8.self))")
      if let strict { #expect(strict == (try JSONValue.parseLenient(text))) }
    }
  }

  /// Nodes beyond the room that a text of this length is expected to need.
  @Test func manyValues() throws {
    var reader = SignedObjectReader()
    for count in [1, 15, 16, 17, 40, 1_000, 5_000] {
      let text = utf8("[" + repeatElement("[]", count: count).joined(separator: ",") + "]")
      try reader.read(text)
      #expect(reader.canonicalText.elementsEqual(text))
      let names = (0..<count).map { "\"\(1_999_999 - $0)\":\($0)" }
      try reader.read(utf8("{" + names.joined(separator: ",") + "}"))
      #expect(reader.canonicalText.elementsEqual("{\(names.reversed().joined(separator: ","))}".utf8))
    }
    #expect(throws: JSONSyntaxError.unexpectedEnd(offset: 900)) {
      try reader.read(utf8(String(repeating: "[", count: 900)))
    }
  }
}

/// Makes values and writes them in many ways.
struct Speller {
  enum Style {
    /// As `JSON.stringify` might write it.
    case compact
    /// Names in canonical order.
    case sorted
    /// Anything that means the same.
    case wild
  }

  var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(state: seed) }

  private mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }

  private mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int.random(in: 0..<elements.count, using: &generator)]
  }

  // MARK: Values

  /// Anything but `null`, which has no hash and so no text that is hashed.
  mutating func hashedValue() -> JSONValue {
    let value = value(depth: 0)
    return value.isNull ? .array([value]) : value
  }

  mutating func value(depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth > 3 ? 4 : 9), using: &generator) {
    case 0: return .number(number())
    case 1: return pick([.bool(true), .bool(false), .null])
    case 2, 3: return .string(string())
    case 4: return .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in value(depth: depth + 1) })
    default:
      let count = Int.random(in: 0...(depth == 0 && oneIn(4) ? 40 : 5), using: &generator)
      return .object(JSONObject((0..<count).map { _ in (string(), value(depth: depth + 1)) }))
    }
  }

  private mutating func number() -> Double {
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: Double(Int.random(in: -20...20, using: &generator))
    case 1: 1_760_148_958_073 + Double(Int.random(in: 0...1_000_000, using: &generator))
    case 2: Double(Int.random(in: -9_999_999...9_999_999, using: &generator)) / 100_000
    case 3: pick([0, 1e21, 1e-7, 0.000001, 0x1p53, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0x1p56])
    default:
      Double(sign: pick([.plus, .minus]), exponent: Int.random(in: -60...60, using: &generator), significand: 1.1)
    }
  }

  private static let alphabet: [[UInt16]] = [
    [0x61], [0x62], [0x7a], [0x41], [0x20], [0x22], [0x5c], [0x2f], [0x08], [0x0a], [0x0d], [0], [0x1f], [0x7f],
    [0xe9], [0x436], [0x5b57], [0xe000], [0xffff], [0xd83d, 0xde00], [0xdbff, 0xdfff], [0x2028],
    Array("abcdefgh".utf16), Array("abcdefghijklmnopqrst".utf16),
  ]

  mutating func string(isIllFormed: Bool = true) -> JSONString {
    if oneIn(3) { return pick(["id", "type", "signer", "signature", "modified", "publicKey", "b", "a", "10", "9"]) }
    var units: [UInt16] = []
    for _ in 0..<Int.random(in: 0...5, using: &generator) {
      units += isIllFormed && oneIn(20) ? [pick([0xd800, 0xdfff, 0xdabc])] : pick(Self.alphabet)
    }
    return JSONString(utf16: units)
  }

  // MARK: Texts

  mutating func text(of value: JSONValue, _ style: Style) -> [UInt8] {
    switch value {
    case .null, .bool: value.text
    case .number(let number): text(of: number, style)
    case .string(let string): text(of: string, style)
    case .array(let elements): text(of: elements.map { text(of: $0, style) }, "[", "]", style)
    case .object(let object): text(of: object, style)
    }
  }

  private mutating func text(of parts: [[UInt8]], _ opening: String, _ closing: String, _ style: Style) -> [UInt8] {
    var output = utf8(opening) + space(style)
    for (place, part) in parts.enumerated() {
      if place > 0 { output += utf8(",") }
      output += space(style) + part + space(style)
    }
    return output + utf8(closing)
  }

  private mutating func space(_ style: Style) -> [UInt8] {
    style == .wild && oneIn(12) ? pick([[0x20], [0x09], [0x0a], [0x0d], [0x20, 0x20]]) : []
  }

  private mutating func text(of object: JSONObject, _ style: Style) -> [UInt8] {
    var members = object.members
    if style == .sorted { members.sort { $0.0 < $1.0 } }
    if style == .wild {
      members.shuffle(using: &generator)
      // Earlier ones of the same name count for nothing.
      if let last = members.last, oneIn(3) { members.insert((last.0, value(depth: 5)), at: 0) }
    }
    let parts = members.map { text(of: $0.0, style) + space(style) + utf8(":") + space(style) + text(of: $0.1, style) }
    return text(of: parts, "{", "}", style)
  }

  private mutating func text(of number: Double, _ style: Style) -> [UInt8] {
    let text = JSONValue.number(number).text
    guard style == .wild, !text.contains(UInt8(ascii: "e")) else { return text }
    let isFraction = text.contains(UInt8(ascii: "."))
    return text + utf8(pick(isFraction ? ["", "0", "e0", "E+00"] : ["", ".0", "e0", "E-0", ".000e+00"]))
  }

  private mutating func text(of string: JSONString, _ style: Style) -> [UInt8] {
    guard style == .wild else { return JSONValue.string(string).text }
    var output: [UInt8] = [0x22]
    let units = string.utf16
    var index = 0
    while index < units.count {
      let isPair = units[index] & 0xfc00 == 0xd800 && index + 1 < units.count && units[index + 1] & 0xfc00 == 0xdc00
      let character = Array(units[index..<index + (isPair ? 2 : 1)])
      let plain = JSONValue.string(JSONString(utf16: character)).text.dropFirst().dropLast()
      output += oneIn(6) ? character.flatMap { escape($0) } : Array(plain)
      index += character.count
    }
    return output + [0x22]
  }

  private mutating func escape(_ unit: UInt16) -> [UInt8] {
    if unit == UInt16(UInt8(ascii: "/")) { return utf8(#"\/"#) }
    let digits = String(unit, radix: 16, uppercase: oneIn(2))
    return utf8(#"\u"# + String(repeating: "0", count: 4 - digits.count) + digits)
  }
}
