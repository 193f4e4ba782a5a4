import Foundation
import KeyRecords
import RegistryAPI
import RegistryClient
import RegistryTestKit
import Testing

/// The program of the tutorial, with a real registrar.
@Suite struct SyncExampleTests {
  private static let tutorial = "Sources/RegistryClient/RegistryClient.docc/Resources"
  private static let example = "Examples/Sync/SyncDoor.swift"

  private static func text(_ path: String) throws -> String {
    var root = URL(filePath: #filePath)
    for _ in 0..<3 { root.deleteLastPathComponent() }
    return try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// What the tutorial ends with is what the other test runs, and each of its steps only adds lines to the one before.
  @Test func theTutorialLeadsToTheExample() throws {
    let steps = try (1...4).map { try Self.text("\(Self.tutorial)/SyncDoor-\($0).swift") }
    #expect(steps.last == (try Self.text(Self.example)))
    for (step, next) in zip(steps, steps.dropFirst()) {
      var rest = next.split(separator: "\n")[...]
      for line in step.split(separator: "\n") {
        let place = try #require(rest.firstIndex(of: line), "a later step has no \"\(line)\"")
        rest = rest[(place + 1)...]
      }
    }
  }

  @Test func whatUnknownSignersSentWaitsUntilTheirKeyIsKnown() throws {
    let folder = try TemporaryFolder(prefix: "example")
    let registrar = try RegistrarProcess(
      data: folder.path("data"), arguments: ["--app", "chat.example"], log: folder.path("log"))
    defer { registrar.stop() }
    let http = BlockingHTTP(port: registrar.port)
    let chat = try #require(AppID("chat.example"))
    let (alice, bob) = (try Self.user(chat), try Self.user(chat))
    func claim(_ user: TestUser) throws {
      let answer = try http.post(APIPath.records.path(of: chat), user.claim(at: SystemClock().now()))
      try #require(answer.status == 201, "\(answer.code ?? answer.head)")
    }
    func note(_ body: String, by user: TestUser) -> String {
      String(decoding: user.note(body, modified: SystemClock().now()), as: UTF8.self)
    }

    try claim(alice)
    let (hers, his) = (note("hello", by: alice), note("here I am", by: bob))
    let app = try RunningProgram(
      "sync-example", [registrar.url.absoluteString, "chat.example", folder.path("cache.sqlite")])
    defer { app.kill() }
    try app.write([hers.replacing("hello", with: "hallo"), hers, his, "", ""].joined(separator: "\n"))
    #expect(try app.line() == hers)
    #expect(try app.line() == "end of batch")
    try app.closeInput()
    try claim(bob)
    #expect(try app.line() == his)
  }

  private static func user(_ app: AppID) throws -> TestUser {
    try #require(TestUser(app: app, created: SystemClock().now()))
  }
}
