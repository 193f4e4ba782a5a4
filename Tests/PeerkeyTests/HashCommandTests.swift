import PeerstackFormat
import Testing

struct HashCommandTests {
  @Test func vectors() throws {
    let file = try #require(JSONValue.parseLenient(try Vectors.bytes("canonical-json.json")).object)
    let vectors = try #require(file["vectors"]?.array).compactMap(\.object)
    try #require(vectors.count > 100)
    for vector in vectors {
      let input = try #require(vector["input"]?.jsonString).bytes
      let outcome = try Command.run(["hash"], input: input)
      let note = vector["id"]?.string ?? "?"
      if vector["error"] != nil {
        #expect(outcome.status == 1 && outcome.output.isEmpty && !outcome.error.isEmpty, "\(note)")
      } else {
        #expect(outcome.status == 0 && outcome.lines == [vector["sha256"]?.string], "\(note)")
      }
    }
  }

  @Test func whatIsNoJSONIsRefused() throws {
    let file = try #require(JSONValue.parseLenient(try Vectors.bytes("canonical-json.json")).object)
    let refused = try #require(file["refused"]?.array).compactMap(\.object)
    try #require(!refused.isEmpty)
    let texts =
      refused.compactMap { $0["input"]?.jsonString?.bytes } + [[], Array("{} {}".utf8), [0xef, 0xbb, 0xbf, 0x31]]
    for text in texts {
      let outcome = try Command.run(["hash"], input: text)
      #expect(outcome.status == 1 && outcome.output.isEmpty, "\(text)")
      #expect(outcome.error.contains("no JSON"))
    }
  }
}
