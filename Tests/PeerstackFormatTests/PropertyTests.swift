import PeerstackFormat
import Testing

/// SplitMix64: the same inputs on every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

@Suite struct PropertyTests {
  private static let seeds: ClosedRange<UInt64> = 1...4
  private static let rounds = 2_500

  private func corpus() throws -> [[UInt8]] {
    let canonical = try Vectors.list("vectors", in: "canonical-json.json").map { try $0.raw("input") }
    let refused = try Vectors.list("refused", in: "canonical-json.json").map { try $0.raw("input") }
    let batch = try BatchTests.lines("sync/batch.jsonl").prefix(100).map { Array($0) }
    return (canonical + refused + batch).filter { $0.count < 2_000 }
  }

  private func mutated(_ text: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
    let interesting =
      utf8("{}[]\",:\\u0123456789eE+-.dD8c/ \ttrufalsn") + [0, 0x1f, 0x7f, 0x80, 0xc2, 0xe2, 0xed, 0xf0, 0xff]
    var text = text
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let position = text.isEmpty ? 0 : Int.random(in: 0..<text.count, using: &generator)
      let byte = interesting[Int.random(in: 0..<interesting.count, using: &generator)]
      switch Int.random(in: 0..<5, using: &generator) {
      case 0 where !text.isEmpty: text[position] = byte
      case 1 where !text.isEmpty: text.remove(at: position)
      case 2: text.insert(byte, at: position)
      case 3: text.removeSubrange(position...)
      default: text.insert(contentsOf: text[..<position], at: position)
      }
    }
    return text
  }

  @Test(arguments: seeds)
  func mutatedTexts(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    var reader = SignedObjectReader()
    let corpus = try corpus()
    for _ in 0..<Self.rounds {
      let text = mutated(corpus[Int.random(in: 0..<corpus.count, using: &generator)], using: &generator)
      let lenient = try? JSONValue.parseLenient(text)
      let strict = try? JSONValue.parseStrict(text)
      try? reader.read(text)
      _ = try? PeerstackWire.read(text)
      if let strict { #expect(strict == lenient) }
      guard let lenient else {
        #expect(reader.hash == nil && strict == nil)
        continue
      }
      try checkCanonical(lenient)
      #expect(reader.hash == ObjectHash.hash(of: lenient))
    }
  }

  private func checkCanonical(_ value: JSONValue) throws {
    let canonical = CanonicalJSON.bytes(of: value)
    let again = try JSONValue.parseLenient(canonical)
    #expect(CanonicalJSON.bytes(of: again) == canonical)
    let text = try JSONValue.parseLenient(value.text)
    #expect(CanonicalJSON.bytes(of: text) == canonical)
  }

  @Test(arguments: seeds)
  func randomBytes(seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    for _ in 0..<Self.rounds {
      let bytes = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      let text = JSONString(utf16: bytes.map { UInt16($0) << 3 | 0xd000 })
      #expect(JSONString(utf16: text.utf16) == text)
      _ = try? JSONValue.parseLenient(bytes)
      let spelling = JSONString(utf16: bytes.map { UInt16($0 & 0x7f) })
      #expect(PeerstackEncoding.decodePairs(spelling).count == (bytes.count + 1) / 2)
      #expect(PeerstackEncoding.decode(JSONString(PeerstackEncoding.encodePairs(bytes))).isEmpty == false)
    }
  }

  /// Every double is written so that it reads back as itself, and no other way is accepted as verbatim.
  @Test(arguments: seeds)
  func numbers(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    var reader = SignedObjectReader()
    for _ in 0..<Self.rounds {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      let canonical = CanonicalJSON.bytes(of: .number(value))
      #expect(try JSONValue.parseLenient(canonical).number == value)
      // Short decimals take the way around the double; both ways must give the same text.
      let digits = Int64.random(in: -99_999_999...99_999_999, using: &generator)
      let text = "\(digits / 1000).\(String(digits.magnitude % 1000 + 1000).dropFirst())"
      try reader.read(utf8(text))
      #expect(reader.canonicalText == CanonicalJSON.bytes(of: .number(try #require(Double(text)))), "\(text)")
    }
  }
}
