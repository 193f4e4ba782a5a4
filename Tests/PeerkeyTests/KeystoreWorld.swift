import Foundation
import PeerstackFormat
import RegistryTestKit
import Testing

/// A real registrar with two apps, and people with keystores who use the real command.
final class KeystoreWorld {
  static let chat = "chat.example"
  static let forum = "forum.example"

  let folder: TemporaryFolder
  let registrar: RegistrarProcess
  private let data: String

  init() throws {
    folder = try TemporaryFolder(prefix: "peerkey")
    data = folder.path("data")
    registrar = try RegistrarProcess(
      data: data, arguments: ["--app", Self.chat, "--app", Self.forum], log: folder.path("log"))
  }

  deinit { registrar.stop() }

  var url: String { "http://127.0.0.1:\(registrar.port)" }
  var adminKey: String { "\(data)/admin-\(Self.chat).json" }

  /// A file in the folder.
  func file(_ name: String, _ text: String) throws -> String {
    let path = folder.path(name)
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  /// Somebody with a claimed identity and a paper key.
  func person(_ name: String) throws -> Person {
    let person = Person(self, name)
    _ = try person.done("new", "--paper-key-out", person.paper)
    _ = try person.done("claim")
    return person
  }
}

/// Somebody at one device: the common options go with every command.
struct Person {
  let world: KeystoreWorld
  let name: String
  var registrar: String
  var app = KeystoreWorld.chat
  var password: String
  /// Where the keystore is, and the cache beside it.
  var folder: String

  init(_ world: KeystoreWorld, _ name: String) {
    self.world = world
    self.name = name
    registrar = world.url
    password = "the password of \(name)"
    folder = world.folder.url.path()
  }

  /// A copy of the keystore, at another device or in a thief's hands.
  func copy(_ name: String) throws -> Person {
    var copy = Person(world, name)
    copy.password = password
    copy.app = app
    try FileManager.default.copyItem(atPath: keystore, toPath: copy.keystore)
    return copy
  }

  var keystore: String { "\(folder)/\(name).json" }
  var cache: String { "\(folder)/registry.sqlite" }
  var paper: String { world.folder.path("\(name).paper") }

  /// The arguments with the common options.
  func arguments(_ arguments: [String]) throws -> [String] {
    let words = Self.groups.contains(arguments[0]) ? 2 : 1
    return arguments.prefix(words) + [
      "--registrar", registrar, "--app", app, "--keystore", keystore, "--password-file",
      try world.file("\(name).password", password + "\n"), "--password-memory", "16", "--json",
    ] + arguments.dropFirst(words)
  }

  /// Commands that have commands of their own.
  private static let groups: Set = ["quarantine", "contact"]

  /// Runs a command, and reads the JSON that it prints.
  func run(_ command: String..., input: String = "") throws -> (status: Int32, json: JSONObject, error: String) {
    try run(command, input: input)
  }

  func run(_ command: [String], input: String = "") throws -> (status: Int32, json: JSONObject, error: String) {
    let outcome = try BuiltProgram.run("peerkey", try arguments(command), input: Array(input.utf8))
    let line = outcome.lines.last ?? "{}"
    let json = try #require(JSONValue.parseStrict(Array(line.utf8), maxDepth: 32).object, "\(line) \(outcome.error)")
    return (outcome.status, json, outcome.error)
  }

  /// Runs a command that must end with 0.
  @discardableResult
  func done(_ command: String..., input: String = "") throws -> JSONObject {
    let result = try run(command, input: input)
    try #require(result.status == 0, "\(command): \(result.error)")
    return result.json
  }

  /// Runs a command that must fail, and gives the code.
  func code(_ command: String..., status: Int32 = 1) throws -> String? {
    let result = try run(command)
    #expect(result.status == status, "\(command): \(result.status) \(result.error)")
    #expect(result.error.contains("peerkey: "))
    return result.json["error"]?.object?["code"]?.string
  }

  /// The state at the registrar.
  func state() throws -> JSONObject { try #require(try done("show")["state"]?.object) }

  var id: String { get throws { try #require(try done("show")["id"]?.string) } }

  /// The key in force.
  func currentKey() throws -> String? {
    let keys = try #require(try state()["keys"]?.array).compactMap(\.object)
    return keys.last { $0["fate"]?.string == "current" }?["publicKey"]?.string
  }

  /// A signed message, as a line.
  func signed(_ id: String, modified: Int64 = now()) throws -> String {
    let object = "{\"id\":\"\(id)\",\"type\":\"Message\",\"modified\":\(modified)}"
    return String(decoding: JSONValue.object(try done("sign", input: object)).text, as: UTF8.self)
  }

  /// The verdicts on lines of objects.
  func verdicts(_ lines: [String]) throws -> [String?] {
    let arguments = try arguments(["verify"]).filter { $0 != "--json" }
    let outcome = try BuiltProgram.run("peerkey", arguments, input: Array(lines.joined(separator: "\n").utf8))
    #expect(outcome.status == 0, "\(outcome.error)")
    return try outcome.lines.map { try JSONValue.parseStrict(Array($0.utf8)).object?["verdict"]?.string }
  }

  static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}
