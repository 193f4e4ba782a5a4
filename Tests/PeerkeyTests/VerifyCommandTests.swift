import Cryptography
import Foundation
import PeerstackFormat
import Testing

struct VerifyCommandTests {
  private static let users = Vectors.path("sync/users.json")

  private func lines(_ name: String) throws -> [[UInt8]] {
    try Vectors.bytes(name).split(separator: UInt8(ascii: "\n")).map(Array.init)
  }

  private func answers(_ outcome: Command.Outcome) throws -> [JSONObject] {
    try outcome.lines.map { try #require(JSONValue.parseStrict(Array($0.utf8)).object) }
  }

  /// The verdict that the libsodium column means for a line, once its signer is in the file.
  private func expectedVerdict(of line: [UInt8], _ expectation: JSONObject, known: Set<JSONString>) throws -> String {
    let signer = try JSONValue.parseLenient(line).object?["signer"]?.jsonString
    guard let signer else { return "invalid" }
    guard known.contains(signer) else { return "unresolved" }
    return expectation["libsodium"] == "accept" ? "valid" : "invalid"
  }

  @Test func theWholeBatch() throws {
    let known = try #require(JSONValue.parseLenient(try Vectors.bytes("sync/users.json")).object)
    let outcome = try Command.run(["verify", "--users", Self.users], input: try Vectors.bytes("sync/batch.jsonl"))
    #expect(outcome.status == 0)
    #expect(outcome.error.isEmpty, "no progress where there is no terminal")
    let (batch, expected, got) = (try lines("sync/batch.jsonl"), try lines("sync/expected.jsonl"), try answers(outcome))
    try #require(batch.count == 2_000 && expected.count == batch.count && got.count == batch.count)
    for (place, answer) in got.enumerated() {
      let expectation = try #require(JSONValue.parseLenient(expected[place]).object)
      let verdict = try expectedVerdict(of: batch[place], expectation, known: Set(known.names))
      #expect(answer.names == ["line", "id", "verdict", "reason"])
      #expect(answer["line"] == .integer(Int64(place + 1)))
      #expect(answer["id"] == expectation["id"])
      #expect(answer["verdict"] == .text(verdict), "line \(place + 1) \(expectation["category"]?.string ?? "")")
      #expect(answer["reason"]?.string?.isEmpty == false)
    }
  }

  @Test func manyChunksKeepTheirOrder() throws {
    let batch = try Vectors.bytes("sync/batch.jsonl")
    let once = try answers(Command.run(["verify", "--users", Self.users], input: batch)).map { $0["verdict"] }
    let input = batch + batch + batch
    for threads in ["1", "7"] {
      let got = try answers(Command.run(["verify", "--users", Self.users, "--threads", threads], input: input))
      #expect(got.map { $0["line"] } == (1...6_000).map { JSONValue.integer($0) })
      #expect(got.map { $0["verdict"] } == once + once + once)
    }
  }

  @Test func whatIsNoObjectIsInvalidAndTheRestGoesOn() throws {
    let good = try #require(lines("sync/batch.jsonl").first)
    let lineSeparator = Array(#"{"id":"a\#u{2028}b","signer":"nobody"}"#.utf8)
    let tooLong = Array(#"{"id":""#.utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 17 << 20) + Array(#""}"#.utf8)
    let parts: [[UInt8]] = [
      Array("{".utf8), [], [0xff, 0xfe], Array("[1]".utf8), Array("null".utf8), tooLong, good, lineSeparator,
      Array(#"{"id":"q\"\\\u0001\ud800","signer":"x"}"#.utf8), Array(#"{"id":7,"signer":7}"#.utf8), good,
    ]
    let outcome = try Command.run(
      ["verify", "--users", Self.users], input: Array(parts.joined(separator: [UInt8(ascii: "\n")])))
    #expect(outcome.status == 0)
    let got = try outcome.lines.map { try #require(JSONValue.parseLenient(Array($0.utf8)).object) }
    #expect(
      got.map { $0["verdict"]?.string } == [
        "invalid", "invalid", "invalid", "invalid", "invalid", "invalid", "valid", "unresolved", "unresolved",
        "invalid",
        "valid",
      ])
    #expect(got.map { $0["line"]?.integer } == Array(1...11))
    #expect(got[5]["reason"]?.string?.contains("16777216") == true)
    #expect(got[7]["id"] == "a\u{2028}b")
    #expect(got[8]["id"]?.jsonString?.utf16 == [0x71, 0x22, 0x5c, 0x01, 0xd800])
    #expect(got[9]["id"] == .null)
  }

  @Test func anEmptyInputHasNoVerdicts() throws {
    let outcome = try Command.run(["verify", "--users", Self.users], input: [])
    #expect(outcome.status == 0 && outcome.output.isEmpty)
  }

  @Test(arguments: [
    "", "[]", "{", #"{"a":1}"#, #"{"a":{"id":"b","publicKey":"x"}}"#,
  ])
  func malformedUsers(text: String) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "users-\(UUID().uuidString).json")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let outcome = try Command.run(["verify", "--users", file.path()], input: try Vectors.bytes("sync/batch.jsonl"))
    #expect(outcome.status == 1 && outcome.output.isEmpty)
    #expect(outcome.error.contains(file.path()))
  }

  @Test func aUserWithoutAReadableKeyMakesInvalid() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "users-\(UUID().uuidString).json")
    try Data(#"{"a":{"id":"a"},"0123456789012345678901234567890123456789":{"publicKey":"x"}}"#.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let input =
      #"{"id":"1","signer":"a","signature":"x"}"# + "\n"
      + #"{"id":"2","signer":"0123456789012345678901234567890123456789"}"# + "\n"
      + #"{"id":"3","signer":"01234567890123456789012345678901234567890"}"#
    let outcome = try Command.run(["verify", "--users", file.path()], input: Array(input.utf8))
    #expect(try answers(outcome).map { $0["verdict"]?.string } == ["invalid", "invalid", "unresolved"])
  }

  @Test func aMissingFileAndMissingArguments() throws {
    let missing = try Command.run(["verify", "--users", "/nowhere/users.json"], input: [])
    #expect(missing.status == 1 && missing.error.contains("/nowhere/users.json"))
    #expect(try Command.run(["verify"], input: []).status == 64)
    #expect(try Command.run(["verify", "--users", Self.users, "--threads", "0"], input: []).status == 64)
  }

  /// A verdict comes as soon as its line has come: nothing waits for more input.
  @Test func aLineAtATime() throws {
    let process = Process()
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = Command.executable
    process.arguments = ["verify", "--users", Self.users]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    for (place, line) in try lines("sync/batch.jsonl").prefix(20).enumerated() {
      // In two pieces, so that a line has to be put together.
      try input.fileHandleForWriting.write(contentsOf: Data(line.prefix(100)))
      try input.fileHandleForWriting.write(contentsOf: Data(line.dropFirst(100)) + [UInt8(ascii: "\n")])
      var answer: [UInt8] = []
      while answer.last != UInt8(ascii: "\n") {
        let piece = try #require(try output.fileHandleForReading.read(upToCount: 1), "the output ended")
        answer.append(contentsOf: piece)
      }
      #expect(try JSONValue.parseStrict(answer).object?["line"] == .integer(Int64(place + 1)))
    }
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }
}
