import Foundation
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryTestKit
import Testing

/// An app with admins whose keys are files, and a running registrar.
final class AdminWorld {
  let app: AppID
  let folder: TemporaryFolder
  /// The admins' public keys, in the order of approvals; their files are `admin0`, `admin1`, …
  let admins: [String]
  let server: RegistrarProcess
  let http: BlockingHTTP

  var data: [String] { ["--data", folder.path("data")] }
  var served: [String] { ["--server", "http://127.0.0.1:\(server.port)"] }

  init(admins count: Int = 1, threshold: Int = 1, _ policy: [String] = []) throws {
    let folder = try TemporaryFolder(prefix: "admin")
    var keys: [(key: String, file: String)] = []
    for number in 0..<count {
      let file = folder.path("key\(number)")
      let made = try BuiltProgram.run("registrar", ["keygen", file])
      keys.append((try #require(made.lines.first), file))
    }
    keys.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    for (place, key) in keys.enumerated() {
      try FileManager.default.moveItem(atPath: key.file, toPath: folder.path("admin\(place)"))
    }
    admins = keys.map(\.key)
    let create =
      ["app", "create", "chat.example", "--threshold", "\(threshold)", "--data", folder.path("data")]
      + (0..<count).flatMap { ["--admin-key", folder.path("admin\($0)")] } + policy
    let created = try BuiltProgram.run("registrar", create)
    try #require(created.status == 0, "\(created.error)")
    app = try #require(AppID("chat.example"))
    server = try RegistrarProcess(data: folder.path("data"), log: folder.path("log"))
    http = BlockingHTTP(port: server.port)
    self.folder = folder
  }

  func key(_ admin: Int) -> [String] { ["--admin-key", folder.path("admin\(admin)")] }

  func run(_ arguments: [String], input: [UInt8] = []) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run("registrar", arguments, input: input)
  }

  func write(_ text: [UInt8], to name: String) throws -> String {
    let path = folder.path(name)
    try Data(text).write(to: URL(filePath: path))
    return path
  }

  func policy() throws -> JSONObject { try http.get("/apps/\(app)").json["policy"]?.object ?? [:] }

  func post(_ record: [UInt8], invitation: [UInt8]? = nil) throws -> BlockingHTTP.Answer {
    try http.post(APIPath.records.path(of: app), SubmissionBody.text(record: record, invitation: invitation))
  }

  /// A user whose claim was accepted, and the claim.
  func claimed(_ user: TestUser?) throws -> (user: TestUser, head: KeyRecord) {
    let user = try #require(user)
    let text = user.claim(at: TestPerson.now)
    #expect(try post(text).status == 201)
    return (user, try record(text))
  }

  func record(_ text: [UInt8]) throws -> KeyRecord {
    try #require(try Submission.verify(text, app: app).get().record)
  }

  /// What `registrar explain --json` says, which must be the same by a running registrar and by the database.
  func explained(_ text: [UInt8]) throws -> JSONObject {
    let file = try write(text, to: "explained")
    let answers = try [served, data].map { try run(["explain", file, "--json"] + $0) }
    for answer in answers { #expect(answer.status == 0, "\(answer.error)") }
    let objects = try answers.map { try #require(JSONValue.parseStrict(Array($0.output.dropLast())).object) }
    // Times move on between the two.
    let fixed = objects.map { $0.omitting(["effective", "words", "now"]) }
    #expect(fixed[0] == fixed[1])
    return objects[0]
  }

  /// A new id that is not bound, made an hour ago.
  static func unboundID() -> String {
    let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")
    let random = (0..<UserID.boundCount).map { _ in String(alphabet[Int.random(in: 0..<36)]) }.joined()
    return PeerstackID.timePart(now: TestPerson.now - 3_600_000) + random
  }
}
