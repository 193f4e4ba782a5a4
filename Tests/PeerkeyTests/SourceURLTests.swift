import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

/// A further registrar that a record names.
struct SourceURLTests {
  private let world: KeystoreWorld

  init() throws { world = try KeystoreWorld() }

  private func sourceURL(_ person: Person) throws -> String? {
    let url = "/apps/\(person.app)/keys/\(try person.id)"
    let answer = try BlockingHTTP(port: world.registrar.port).get(url)
    return answer.json["sourceUrl"]?.string
  }

  /// Strangers choose which machines are talked to: none inside, and nothing fails because of it.
  @Test func anAddressInsideIsNotAsked() throws {
    let alice = try world.person("alice")
    let app = try #require(AppID(alice.app))
    let other = try LyingServer(try #require(TestRegistrar(app: app, clock: SystemClock())))
    try alice.done("amend", "--source-url", "https://127.0.0.1:\(other.port)")
    let shown = try alice.done("show")
    #expect(shown["hint"] == nil && shown["disagreements"] == nil && shown["state"]?.object != nil)
    try alice.done("rotate")
    #expect(try sourceURL(alice) == "https://127.0.0.1:\(other.port)")
    #expect(other.acceptedCount == 0)
  }

  /// A thief's registrar would go on showing what the thief did.
  @Test func aThiefsIsPutBackWithTheTiers() throws {
    let alice = try world.person("alice")
    try alice.done("amend", "--source-url", "https://keys.example")
    let before = Person.now()
    let thief = try alice.copy("thief")
    try thief.done("amend", "--source-url", "https://thief.example")
    #expect(try sourceURL(alice) == "https://thief.example")
    try alice.done(
      "recover", "--reason", "compromised", "--compromised-since", String(before), "--paper-key-file", alice.paper)
    #expect(try sourceURL(alice) == "https://keys.example")
    try alice.done("amend", "--source-url", "none")
    #expect(try sourceURL(alice) == nil)
  }
}
