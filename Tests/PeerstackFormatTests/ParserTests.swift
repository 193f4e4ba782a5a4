import PeerstackFormat
import Testing

@Suite struct ParserTests {
  private func lenient(_ text: String) -> Result<JSONValue, JSONSyntaxError> {
    Result { () throws(JSONSyntaxError) in try JSONValue.parseLenient(utf8(text)) }
  }

  private func strict(_ text: String) -> Result<JSONValue, JSONSyntaxError> {
    Result { () throws(JSONSyntaxError) in try JSONValue.parseStrict(utf8(text)) }
  }

  @Test(arguments: [
    ("1.0", JSONSyntaxError.notAnInteger(offset: 0)), ("1e0", .notAnInteger(offset: 0)),
    ("-0", .notAnInteger(offset: 0)), ("9007199254740992", .notAnInteger(offset: 0)),
    ("-9007199254740992", .notAnInteger(offset: 0)), ("99999999999999999999", .notAnInteger(offset: 0)),
    (#"{"a":1,"b":2,"a":1}"#, .duplicateName(offset: 18)), (#"{"a":1,"\u0061":1}"#, .duplicateName(offset: 17)),
    (#"{"x":{"":1,"":1}}"#, .duplicateName(offset: 15)), (#""\ud800""#, .loneSurrogate(offset: 1)),
    (#""\udc00\ud800""#, .loneSurrogate(offset: 1)), (#""\ud83d\u0041""#, .loneSurrogate(offset: 1)),
    ("\u{feff}{}", .unexpectedByte(0xef, offset: 0)), ("1 1", .trailingContent(offset: 2)),
    ("", .unexpectedEnd(offset: 0)), ("[1", .unexpectedEnd(offset: 2)), ("01", .invalidNumber(offset: 0)),
  ])
  func malformed(text: String, error: JSONSyntaxError) {
    #expect(strict(text) == .failure(error))
  }

  @Test func strictReadsPlainIntegers() throws {
    #expect(try strict("9007199254740991").get().integer == 9_007_199_254_740_991)
    #expect(try strict("-9007199254740991").get().integer == -9_007_199_254_740_991)
    #expect(try strict("[0,-1,10]").get() == [0, -1, 10])
    #expect(try strict(#""\ud83d\ude00""#).get() == "😀")
  }

  @Test func depthOfRegistrarObjects() throws {
    let sixteen = String(repeating: "[", count: 16) + String(repeating: "]", count: 16)
    #expect(throws: Never.self) { try strict(sixteen).get() }
    #expect(strict("[\(sixteen)]") == .failure(.tooDeep(offset: 16, limit: 16)))
    #expect(throws: Never.self) { try strict("[\(sixteen.dropFirst().dropLast()),1]").get() }
  }

  @Test(
    arguments: [
      [0xff], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x80, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xc3, 0x28],
      [0xe2, 0x28, 0xa1], [0xf0, 0x9f, 0x28, 0x80],
    ] as [[UInt8]])
  func notUTF8(bytes: [UInt8]) {
    for padding in 0..<9 {
      let text = [0x22] + [UInt8](repeating: 0x61, count: padding) + bytes + [0x22]
      #expect(throws: JSONSyntaxError.invalidUTF8(offset: padding + 1)) { try JSONValue.parseLenient(text) }
      #expect(throws: JSONSyntaxError.invalidUTF8(offset: padding + 1)) { try JSONValue.parseStrict(text) }
    }
    #expect(throws: JSONSyntaxError.self) { try JSONValue.parseLenient([0x22] + bytes) }
  }

  /// Whatever is special must be seen at every position of the eight bytes that are looked at together.
  @Test func specialBytesAtEveryPosition() throws {
    for position in 0..<20 {
      let before = String(repeating: "a", count: position)
      for after in [0, 1, 7, 8, 9] {
        let rest = String(repeating: "b", count: after)
        #expect(lenient("\"\(before)\n\(rest)\"") == .failure(.controlCharacter(offset: position + 1)))
        #expect(lenient("\"\(before)\u{1f}\(rest)\"") == .failure(.controlCharacter(offset: position + 1)))
        #expect(try lenient("\"\(before)\\n\(rest)\"").get() == .text("\(before)\n\(rest)"))
        #expect(try lenient("\"\(before)\u{7f} ~é\(rest)\"").get() == .text("\(before)\u{7f} ~é\(rest)"))
        #expect(try lenient("\"\(before)\\\"\(rest)\"").get() == .text("\(before)\"\(rest)"))
        #expect(
          lenient("\"\(before)\"\(rest)")
            == (after == 0 ? .success(.text(before)) : .failure(.trailingContent(offset: position + 2))))
      }
    }
  }

  @Test func limits() {
    #expect(throws: JSONSyntaxError.tooLarge(count: 11, limit: 10)) {
      try JSONValue.parseLenient([UInt8](repeating: 0x20, count: 11), limits: JSONLimits(maxBytes: 10))
    }
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    #expect(throws: JSONSyntaxError.tooDeep(offset: 1_000, limit: 1_000)) { try JSONValue.parseLenient(deep) }
    #expect(JSONLimits(maxBytes: .max, maxDepth: .max).maxDepth == JSONLimits.maxDepthCeiling)
  }

  @Test func laterDuplicatesWin() throws {
    let value = try JSONValue.parseLenient(utf8(#"{"a":1,"b":2,"a":3}"#))
    #expect(value.object?["a"] == 3)
    #expect(value.object?.count == 2)
    #expect(value.text == utf8(#"{"a":3,"b":2}"#))
  }

  @Test func manyMembers() throws {
    let members = (0..<3_000).map { "\"k\($0 % 2_000)\":\($0)" }.joined(separator: ",")
    let object = try #require(JSONValue.parseLenient(utf8("{\(members)}")).object)
    #expect(object.count == 2_000)
    #expect(object["k0"] == 2_000 && object["k999"] == 2_999 && object["k1999"] == 1_999)
    #expect(object["k2000"] == nil && object[""] == nil)
    #expect(throws: JSONSyntaxError.self) { try JSONValue.parseStrict(utf8("{\(members)}")) }
  }

  @Test func equalityIsThatOfValues() throws {
    let left = try lenient(#"{"a":[1,{"x":null}],"b":-0,"c":"\u00e9"}"#).get()
    let right = try lenient(#"{"c":"é","b":0,"a":[1.0,{"x":null}]}"#).get()
    #expect(left == right && left.hashValue == right.hashValue)
    #expect(try lenient("\"é\"").get() != lenient("\"e\u{301}\"").get())
    #expect(try lenient("[1,2]").get() != lenient("[2,1]").get())
    #expect(try lenient(#"{"a":1}"#).get() != lenient(#"{"b":1}"#).get())
    #expect(try lenient("null").get() != lenient("false").get())
  }

  @Test func stringsAreOrderedByCodeUnits() {
    let ordered: [JSONString] = [
      "", "a", "a\u{0}", "aa", "b", "é", "\u{d7ff}", JSONString(utf16: [0xd800]), JSONString(utf16: [0xd800, 0x41]),
      "\u{10000}", "\u{10000}a", JSONString(utf16: [0xd800, 0xe000]), "\u{10ffff}", JSONString(utf16: [0xdc00]),
      JSONString(utf16: [0xdc00, 0xd800]), "\u{e000}", "\u{ffff}",
    ]
    for (low, left) in ordered.enumerated() {
      for (high, right) in ordered.enumerated() {
        #expect((left < right) == (low < high), "\(low) \(high)")
        #expect((left < right) == left.utf16.lexicographicallyPrecedes(right.utf16))
        #expect((left == right) == (low == high))
      }
    }
  }

  @Test func javaScriptOrderOfMembers() throws {
    let value = try JSONValue.parseLenient(utf8(#"{"b":1,"10":2,"9":3,"01":4,"4294967295":5,"-1":6}"#))
    #expect(value.text == utf8(#"{"9":3,"10":2,"b":1,"01":4,"4294967295":5,"-1":6}"#))
  }
}
