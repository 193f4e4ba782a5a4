import Foundation
import PeerstackFormat
import RegistryTestKit
import Testing

/// Passwords, paper keys and confirmations on a terminal, which `script` of util-linux provides.
@Suite(.serialized, .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
struct KeystoreTerminalTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  /// What a person sees, who answers each question as it comes.
  private func session(_ person: Person, _ arguments: [String], answers: [(question: String, answer: String)]) throws
    -> (status: Int32, screen: String)
  {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/script")
    let command = [
      BuiltProgram.url("peerkey").path(), arguments[0], "--registrar", person.registrar, "--app", person.app,
      "--keystore",
      person.keystore, "--password-memory", "16",
    ]
    process.arguments = ["-qec", (command + arguments.dropFirst()).joined(separator: " "), "/dev/null"]
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PEERKEY_") }
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    var screen = ""
    // What came since the last answer.
    var unanswered = ""
    var rest = answers[...]
    while true {
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { break }
      let text = String(decoding: data, as: UTF8.self)
      screen += text
      unanswered += text
      guard let next = rest.first, unanswered.contains(next.question) else { continue }
      rest.removeFirst()
      unanswered = ""
      try input.fileHandleForWriting.write(contentsOf: Data("\(next.answer)\n".utf8))
    }
    process.waitUntilExit()
    #expect(rest.isEmpty, "\(screen)")
    return (process.terminationStatus, screen)
  }

  @Test func secretsAreAskedForAndNotShown() throws {
    var alice = Person(world, "alice")
    alice.password = "typed by hand"
    let different = try session(
      alice, ["new"], answers: [("new password: ", "one of them"), ("again: ", "another one")])
    #expect(different.status == 1 && different.screen.contains("the passwords differ"))
    let made = try session(
      alice, ["new"], answers: [("new password: ", alice.password), ("again: ", alice.password)])
    #expect(made.status == 0 && !made.screen.contains("typed by hand"))
    let paper = try #require(made.screen.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("P1") })
    #expect(paper.count == 71)
    #expect(try session(alice, ["claim"], answers: [("password of", "wrong")]).status == 77)
    #expect(try session(alice, ["claim"], answers: [("password of", alice.password)]).status == 0)

    // The paper key typed in, badly and well.
    let bad = try session(alice, ["recover"], answers: [("paper key: ", String(paper.dropLast()))])
    #expect(bad.status == 1 && !bad.screen.contains(paper.dropLast()))
    let recovered = try session(
      alice, ["recover"], answers: [("paper key: ", paper.lowercased()), ("password of", alice.password)])
    #expect(recovered.status == 0 && recovered.screen.contains("recovered"), "\(recovered.screen)")
    #expect(!recovered.screen.lowercased().contains(paper.lowercased()))
  }

  @Test func acknowledgingShowsTheRecordAndAsks() throws {
    let alice = try world.person("alice")
    let hash = try #require(try alice.copy("tablet").done("amend", "--expires", "2099-01-01")["record"]?.string)
    let password = ("password of", alice.password)
    let refused = try session(alice, ["acknowledge", hash], answers: [password, ("to go on: ", "no")])
    #expect(refused.status == 1 && refused.screen.contains("not confirmed"))
    #expect(
      refused.screen.contains(hash) && refused.screen.contains("2099-01-01") && refused.screen.contains("0 paper"))
    #expect(try alice.done("show")["foreign"]?.array?.count == 1)
    #expect(try session(alice, ["acknowledge", hash], answers: [password, ("to go on: ", "yes")]).status == 0)
    #expect(try alice.done("show")["foreign"]?.array?.isEmpty == true)
  }

  @Test func retiringAsksForTheID() throws {
    let alice = Person(world, "alice")
    try alice.done("new", "--no-paper")
    try alice.done("claim")
    let id = try alice.id
    let password = ("password of", alice.password)
    let refused = try session(alice, ["retire"], answers: [password, ("to go on: ", "yes")])
    #expect(refused.status == 1 && refused.screen.contains("not confirmed"))
    #expect(try alice.state()["status"]?.string == "active")
    #expect(try session(alice, ["retire"], answers: [password, ("to go on: ", id)]).status == 0)
    #expect(try alice.state()["status"]?.string == "retired")
  }
}
