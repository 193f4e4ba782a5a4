import KeyRecords
import RegistryAPI
import Testing

@Suite("Ids and the usual body of a resolve")
struct PlainResolveTests {
  private static let id = "0mf2k3q9z1abcdefghijklmno"
  private static let other = "0mf2k3q9z1abcdefghijklmnp"
  private static let old = "0123456789abcdef0123456789abcdef"

  @Test("An id gives back its characters, and ids are in the order of theirs")
  func ids() throws {
    let texts = [Self.old, Self.id, Self.other, String(repeating: "z", count: 25)]
    let ids = try texts.map { try #require(UserID($0)) }
    #expect(ids.map(\.text) == texts && ids.map(\.characterCount) == [32, 25, 25, 25])
    #expect(ids.sorted() == ids && ids.shuffled().sorted() == ids && Set(ids).count == 4)
    // The first 25 characters of the other are all that differs from none.
    let short = try #require(UserID(String(Self.old.prefix(25))))
    #expect(short < ids[0] && short != ids[0])
    for text in ["", String(Self.id.dropLast()), Self.id + "a", Self.id.uppercased(), Self.old.dropLast() + "g"] {
      #expect(UserID(text) == nil)
    }
  }

  @Test("Each character of an id is a digit, or a letter up to z, or to f in an id of the old kind")
  func characters() {
    for (text, last) in [(Self.id, UInt8(ascii: "z")), (Self.old, UInt8(ascii: "f"))] {
      for place in 0..<text.utf8.count {
        var bytes = Array(text.utf8)
        for byte in UInt8.min...UInt8.max {
          bytes[place] = byte
          let isRight = UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...last ~= byte
          #expect((UserID(bytes.span) != nil) == isRight)
        }
      }
    }
  }

  @Test(
    "It is read from its bytes as by the general reader",
    arguments: [
      #"{"ids":["ID"]}"#, #"{"ids":["ID","OLD","OTHER"]}"#, " {\t\"ids\" :\r\n[ \"ID\" , \"OTHER\" ] } ",
    ])
  func plain(body: String) throws {
    let text = Self.filled(body)
    let plain = try #require(ResolveRequest.plain(Array(text.utf8)))
    // An empty `have` means nothing, and is not the usual form.
    let general = text.replacing("]", with: "],\"have\":{}")
    #expect(ResolveRequest.plain(Array(general.utf8)) == nil)
    let read = try ResolveRequest.read(Array(general.utf8)).get()
    #expect(plain.ids == read.ids && !plain.ids.isEmpty)
    #expect(plain.have.isEmpty && plain.unknown.isEmpty && read.unknown.isEmpty)
    #expect(ResolveRequest.plainIDs(Array(text.utf8)) == plain.ids)
  }

  @Test(
    "Everything else is left to the general reader",
    arguments: [
      "", "{}", #"{"ids":[]}"#, #"{"ids":["ID","ID"]}"#, #"{"ids":["ID",]}"#, #"{"ids":["ID"]}x"#, #"{"ids":["ID"]"#,
      #"{"ids":["nobody"]}"#, #"{"ids":["\u0030mf2k3q9z1abcdefghijklmno"]}"#, #"{"ids":["ID"],"have":{}}"#,
      #"{"ids":["ID" "OTHER"]}"#, #"{"id":["ID"]}"#, #"["ID"]"#, #"{"ids":"ID"}"#, #"{"ids":["ID"#,
    ])
  func notPlain(body: String) {
    let text = Array(Self.filled(body).utf8)
    #expect(ResolveRequest.plain(text) == nil)
    // What comes twice is for somebody else to see.
    #expect((ResolveRequest.plainIDs(text) == nil) == (body != #"{"ids":["ID","ID"]}"#))
  }

  @Test("A thousand ids are the most, and an id that comes twice is asked for once")
  func limits() throws {
    let ids = (0..<1_001).map { number in "\"0mf2k3q9z1abcdefghijk\(String(number + 1_000))\"" }
    func body(_ ids: [String]) -> [UInt8] { Array("{\"ids\":[\(ids.joined(separator: ","))]}".utf8) }
    #expect(ResolveRequest.plain(body(Array(ids.prefix(1_000))))?.ids.count == 1_000)
    #expect(ResolveRequest.plain(body(ids)) == nil)
    #expect(throws: Refusal.self) { try ResolveRequest.read(body(ids)).get() }
    #expect(try ResolveRequest.read(body([ids[0], ids[1], ids[0]])).get().ids.count == 2)
  }

  private static func filled(_ body: String) -> String {
    body.replacing("OTHER", with: other).replacing("OLD", with: old).replacing("ID", with: id)
  }
}
