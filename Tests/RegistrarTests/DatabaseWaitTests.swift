import Foundation
import RegistryTestKit
import Testing

/// A registrar that is started before its database.
@Suite(.serialized) struct DatabaseWaitTests {
  private let folder: TemporaryFolder
  /// The private cluster of another registrar: it is there while that one runs.
  private var database: String { "host=\(folder.path("data/run")) user=postgres dbname=registrar" }

  init() throws { folder = try TemporaryFolder(prefix: "wait") }

  private func serve(_ arguments: [String]) throws -> RunningProgram {
    try RunningProgram(
      "registrar",
      ["serve", "--listen", "127.0.0.1:0", "--data", folder.path("other"), "--database", database] + arguments)
  }

  /// A registrar that has said that it waits.
  private func waiting(_ arguments: [String]) throws -> RunningProgram {
    let program = try serve(arguments)
    try program.waitForComplaint("waiting for the database: ")
    return program
  }

  @Test func itServesWhenTheDatabaseHasCome() throws {
    let program = try waiting(["--migrate", "--database-wait", "10m", "--app", "chat.example"])
    let owner = try RegistrarProcess(data: folder.path("data"), log: folder.path("log"))
    var line = try program.line()
    while !line.hasPrefix("listening on http://127.0.0.1:") { line = try program.line() }
    let http = BlockingHTTP(port: try #require(line.split(separator: ":").last.flatMap { UInt16($0) }))
    #expect(try http.get("/readyz").status == 200)
    #expect(try http.get("/apps/chat.example").status == 200)
    #expect(try program.complaints.contains("the database answers"))
    #expect(program.stop() == 0)
    #expect(owner.stop() == 0)
  }

  @Test func itEndsWhenTheTimeIsOver() throws {
    let program = try serve(["--database-wait", "1s"])
    #expect(throws: RunningProgram.Silence.self) { try program.line() }
    #expect(program.end() == 1)
    let said = try program.complaints
    #expect(said.contains("cannot use the database") && said.contains("data/run") && said.contains("waited 1 s"))
  }

  @Test func aSignalEndsTheWait() throws {
    let program = try waiting(["--database-wait", "24h"])
    #expect(program.stop() == 0)
  }

  /// Waiting is for a database that is away, not for one that objects.
  @Test func whatTheDatabaseObjectsToIsToldAtOnce() throws {
    let owner = try RegistrarProcess(data: folder.path("data"), log: folder.path("log"))
    let admin = database.replacing("dbname=registrar", with: "dbname=postgres")
    let program = try BuiltProgram.run(
      "registrar", ["serve", "--data", folder.path("other"), "--database", admin, "--database-wait", "24h"])
    #expect(program.status == 1 && program.error.contains("registrar migrate"), "\(program.error)")
    #expect(!program.error.contains("waiting for the database"))
    #expect(owner.stop() == 0)
  }
}
