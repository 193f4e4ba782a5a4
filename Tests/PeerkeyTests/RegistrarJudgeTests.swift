import BatchVerifier
import Cryptography
import Foundation
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

@testable import peerkey

/// What `verify` does with a registrar, short of the connection: lines in, verdicts out, over a transport.
struct RegistrarJudgeTests {
  private func run(_ lines: [[UInt8]], _ resolver: Resolver, file: SignerFile? = nil) async throws -> [JSONObject] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "judge-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (inputFile, outputFile) = (folder.appending(path: "in"), folder.appending(path: "out"))
    try Data(lines.joined(separator: [UInt8(ascii: "\n")])).write(to: inputFile)
    try Data().write(to: outputFile)
    let input = try FileHandle(forReadingFrom: inputFile)
    let output = try FileHandle(forWritingTo: outputFile)
    let pipeline = BatchPipeline(
      input: Descriptor(input.fileDescriptor), output: Descriptor(output.fileDescriptor), threads: 3,
      maxLineBytes: 1 << 20)
    let count = try await pipeline.run(makeJudge: { RegistrarJudge(signers: resolver, file: file) })
    #expect(count == lines.count)
    let answers = [UInt8](try Data(contentsOf: outputFile)).split(separator: UInt8(ascii: "\n"))
    return try answers.map { try #require(JSONValue.parseStrict(Array($0)).object) }
  }

  @Test func histories() async throws {
    let app = try #require(AppID("chat.example"))
    let clock = SystemClock()
    let registrar = try #require(TestRegistrar(app: app, clock: clock))
    let (user, stranger) = (
      try #require(TestUser(app: app, created: clock.now())), try #require(TestUser(app: app, created: clock.now()))
    )
    try await registrar.submit(user.claim(at: clock.now()))
    let resolver = Resolver(app: app, registrars: [Registrar(name: "r", transport: registrar)], store: MemoryStore())
    var lines: [[UInt8]] = []
    for number in 0..<600 {
      lines.append(user.note("\(number)", modified: clock.now()))
      lines.append(user.note("\(number)", modified: clock.now(), with: stranger.key))
      lines.append(stranger.note("\(number)", modified: clock.now()))
      lines.append(Array("{".utf8))
    }
    lines.append([UInt8](repeating: 0x20, count: 2 << 20))
    let answers = try await run(lines, resolver)
    let pattern = ["valid", "invalid", "unresolved", "invalid"]
    #expect(answers.map { $0["line"]?.integer } == (1...2_401).map { Int64($0) })
    #expect(answers.map { $0["verdict"]?.string } == (0..<600).flatMap { _ in pattern } + ["invalid"])
    // A file beside it decides on whom the registrar does not know.
    let users: JSONValue = [
      JSONString(stranger.id.text): .object(stranger.userObject(modified: 1)),
      JSONString(user.id.text): .object(user.userObject(modified: 1, naming: stranger.key)),
    ]
    let both = try await run(Array(lines.prefix(4)), resolver, file: try SignerFile(users.text))
    #expect(both.map { $0["verdict"]?.string } == ["valid", "invalid", "valid", "invalid"])
  }
}
