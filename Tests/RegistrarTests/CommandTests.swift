import Foundation
import KeyRecords
import PeerstackFormat
import RegistryTestKit
import Testing

/// The `registrar` command as an operator uses it.
@Suite(.serialized) struct CommandTests {
  private let folder: TemporaryFolder
  private var data: [String] { ["--data", folder.path("data")] }

  init() throws { folder = try TemporaryFolder(prefix: "registrar") }

  private func run(_ arguments: [String]) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run("registrar", arguments)
  }

  @Test func keygenWritesAKeyThatOnlyItsOwnerReads() throws {
    let path = folder.path("admin.json")
    let outcome = try run(["keygen", path])
    #expect(outcome.status == 0)
    let fields = try #require(JSONValue.parseStrict([UInt8](Data(contentsOf: URL(filePath: path)))).object)
    #expect(fields.names == ["publicKey", "secretKey"])
    #expect(fields["publicKey"]?.string == outcome.lines.first)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    let again = try run(["keygen", path])
    #expect(again.status == 1 && again.error.contains("exists"))
  }

  @Test func judgeGivesALinePerCaseAndNeedsNoExpectations() throws {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = tests.appending(path: "Vectors/key-histories/histories.json").path()
    let outcome = try run(["judge", file])
    #expect(outcome.status == 0)
    let text = [UInt8](try Data(contentsOf: URL(filePath: file)))
    let cases = try #require(JSONValue.parseLenient(text).object?["cases"]?.array)
    try #require(outcome.lines.count == cases.count)
    for (line, expected) in zip(outcome.lines, cases) {
      let result = try #require(JSONValue.parseStrict(Array(line.utf8)).object)
      #expect(result.names == ["name", "steps", "state", "objects"])
      #expect(result["name"] == expected.object?["name"])
      #expect(result["state"] == expected.object?["final"]?.object?["state"])
    }
    let nothing = try run(["judge", folder.path("absent")])
    #expect(nothing.status == 1 && nothing.error.contains("absent"))
  }

  @Test func appsAreCreatedOnceAndWorkBesideARunningServer() throws {
    let key = folder.path("admin.json")
    #expect(try run(["keygen", key]).status == 0)
    let create = ["app", "create", "chat.example", "--admin-key", key, "--contest-window", "7d"] + data
    let first = try run(create)
    #expect(first.status == 0, "\(first.error)")
    #expect(try run(create).status == 1, "another first policy of the same app")
    let server = try RegistrarProcess(data: folder.path("data"), log: folder.path("log"))
    #expect(try run(["app", "create", "b.example", "--admin-key", key] + data).status == 0)
    #expect(try run(["app", "list"] + data).lines == ["chat.example", "b.example"])
    let shown = try run(["app", "show", "chat.example"] + data)
    let policy = try #require(JSONValue.parseStrict(shown.output.dropLast()).object?["policy"]?.object)
    #expect(policy["contestWindow"] == 604_800_000)
    let http = BlockingHTTP(port: server.port)
    #expect(try http.get("/apps/b.example").status == 200, "the running server learns of the new app")
    #expect(server.stop() == 0)
  }

  @Test func anUnusableSettingIsNamed() throws {
    let listen = try run(["serve", "--listen", "nowhere"] + data)
    #expect(listen.status == 64 && listen.error.contains("nowhere"))
    for webhooks in [["a.example"], ["a.example=ftp://h/"], ["a.example=http://h/", "a.example=http://i/"]] {
      let outcome = try run(["serve"] + data + webhooks.flatMap { ["--webhook", $0] })
      #expect(outcome.status == 64 && outcome.error.contains("a.example"), "\(webhooks)")
    }
    let database = try run(["serve", "--database", "postgresql://127.0.0.1:1/none", "--database-wait", "0"] + data)
    #expect(database.status == 1 && database.error.contains("127.0.0.1"))
    for span in ["soon", "30", "25h", "-1s"] {
      let outcome = try run(["serve", "--database-wait=\(span)"] + data)
      #expect(outcome.status == 64 && outcome.error.contains("\"\(span)\""), "\(span): \(outcome.error)")
    }
  }
}

extension JSONValue {
  fileprivate static func parseStrict(_ bytes: ArraySlice<UInt8>) throws -> JSONValue {
    try parseStrict(Array(bytes))
  }
}
