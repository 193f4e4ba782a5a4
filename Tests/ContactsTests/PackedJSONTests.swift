import Foundation
import PeerstackFormat
import Testing

@testable import Contacts

struct PackedJSONTests {
  @Test func valuesComeBack() throws {
    let id = "0mc2q6zx7calicealicealice"
    let value: JSONValue = [
      "id": .text("\(id):k0"), "subject": .text(id), "signer": .text(id), "type": "PublicKey", "number": 300,
      "largest": .integer(JSONValue.maxSafeInteger), "list": [.null, true, false, 0, 127, 128, [], [:]], "": "",
      "long id": "zzzzzzzzzzzzzzzzzzzzzzzzz", "zeros": "0000000000000000000000000", "ä": "\u{1f600}",
      "hash": .text(String(repeating: "0f", count: 32)), "key": .text(String(repeating: "A", count: 43) + "="),
      "signature": .text(String(repeating: "/", count: 85) + "w=="), "twice": "ä", "upper": "0F",
    ]
    let packed = try #require(PackedJSON.pack(value))
    #expect(PackedJSON.unpack(packed) == value)
    #expect(packed.count < CanonicalJSON.bytes(of: value).count * 2 / 3)
  }

  @Test func valuesThatCardsDoNotHaveAreNotPacked() {
    #expect(PackedJSON.pack(-1) == nil)
    #expect(PackedJSON.pack(.number(0.5)) == nil)
    #expect(PackedJSON.pack(.string(JSONString(utf16: [0xd800]))) == nil)
    var deep = JSONValue.array([])
    for _ in 0..<PackedJSON.maxDepth { deep = .array([deep]) }
    #expect(PackedJSON.pack(deep) == nil)
  }

  @Test(
    arguments: [
      [], [PackedTag.integer], [PackedTag.integer, 0x80, 0],
      [PackedTag.integer, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
      [PackedTag.array, 1], [PackedTag.array, 0xff, 0xff, 0xff, 0xff, 0x7f], [PackedTag.null, PackedTag.null],
      [PackedTag.object, 1, PackedTag.null, PackedTag.null], [PackedTag.text, 1, 0xff], [PackedTag.text, 2, 0x41],
      [PackedTag.earlier, 0], [PackedTag.word + UInt8(PackedWords.all.count)], [13],
      // A word as a text, a name twice, names out of order.
      [PackedTag.text, 2, 0x69, 0x64],
      [PackedTag.object, 2, PackedTag.text, 1, 0x62, 0, PackedTag.earlier, 0, 0],
      [PackedTag.object, 2, PackedTag.text, 1, 0x62, 0, PackedTag.text, 1, 0x61, 0],
    ] as [[UInt8]])
  func otherFormsAreRefused(_ bytes: [UInt8]) {
    #expect(PackedJSON.unpack(bytes) == nil)
  }

  /// A long text that is named again and again must not take memory.
  @Test func shortFormsDoNotBecomeLongValues() {
    let long = [UInt8](repeating: 0x61, count: 1_000)
    let count = 1_000
    let bytes =
      [PackedTag.array] + [UInt8(0xe9), 0x07] + [PackedTag.text, 0xe8, 0x07] + long
      + Array(repeating: [PackedTag.earlier, 0], count: count).joined()
    #expect(PackedJSON.unpack(bytes) == nil)
  }

  @Test func deepFormsAreRefused() {
    let bytes = Array(repeating: [PackedTag.array, 1], count: 10_000).joined() + [PackedTag.null]
    #expect(PackedJSON.unpack(Array(bytes)) == nil)
  }

  /// The order is part of the format: a word more in the middle would change every card.
  @Test func theWordsAreThoseOfTheDocument() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../docs/contact-card-format.md")
    let document = try String(contentsOf: path, encoding: .utf8)
    let start = try #require(document.range(of: "```words\n"))
    let end = try #require(document.range(of: "```", range: start.upperBound..<document.endIndex))
    let words = document[start.upperBound..<end.lowerBound].split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(words == PackedWords.all)
    #expect(words.count == Set(words).count && words.count <= 256 - Int(PackedTag.word))
  }
}
