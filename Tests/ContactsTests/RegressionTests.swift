import Cryptography
import Foundation
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

@testable import Contacts

/// What fuzzing begins with (Fuzz/Contacts), and what it has found.
struct RegressionTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "../../Fuzz/Contacts/regressions")

  private func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: Self.folder.appending(path: name)))
  }

  @Test func theGoodInputsAreGood() throws {
    let app = try #require(AppID("chat.example"))
    let clock = World.start + World.day
    let card = try ContactCard.read(try bytes("card.txt"), app: app, clock: clock)
    #expect(card.name.text == "Zoë" && card.judged.history.entries.count == 2)
    let line = try ContactCard.read(try bytes("card-line.txt"), app: app, clock: clock)
    #expect(line.bytes == card.bytes)
    #expect(try bytes("card.packed") == CardText.packed(in: try bytes("card.txt")))
    let object = try #require(try JSONValue.parseStrict(try bytes("card.json"), maxDepth: PackedJSON.maxDepth).object)
    #expect(try object == card.object)
    #expect(try SafetyText.read(try bytes("safety.txt")).people.count == 2)
  }
}
