import Cryptography
import Testing

@testable import Keystore

@Suite struct GroupedTextTests {
  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

  private func symbols(_ code: SecretBytes) -> [Character] {
    text(code).filter { $0 != "-" }
  }

  private func read(_ text: String, _ kind: GroupedText.Kind = .paperKey) throws(GroupedText.Failure) -> SecretBytes {
    try GroupedText.secret(of: secret(text), kind: kind)
  }

  @Test func form() throws {
    let code = text(PaperKey.generate().text)
    #expect(code.utf8.count == 71 && code.hasPrefix("P1"))
    let groups = code.split(separator: "-", omittingEmptySubsequences: false)
    #expect(groups.count == 12 && groups.allSatisfy { $0.count == 5 })
    #expect(text(RecoveryCode.generate().text).hasPrefix("R1"))
  }

  /// Worked out by a separate program (Python, written from the documentation).
  @Test(arguments: [
    ("P1", [UInt8](repeating: 0, count: 32), "P1000-00000-00000-00000-00000-00000-00000-00000-00000-00000-0000X-0QB58"),
    (
      "R1", [UInt8](repeating: 0xff, count: 32),
      "R1ZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZGH-J49B6"
    ),
    ("P1", [UInt8](0..<32), "P1000-G40R4-0M30E-20918-5GR38-E1W81-24GK2-GAHC5-RR34D-1P70X-3RFGM-MW95H"),
  ])
  func fixed(kind: String, bytes: [UInt8], expected: String) throws {
    let kind = try #require(GroupedText.Kind(rawValue: kind))
    let code = GroupedText.text(of: SecretBytes(copying: bytes), kind: kind)
    #expect(text(code) == expected)
    #expect(try read(expected, kind) == SecretBytes(copying: bytes))
  }

  @Test func roundTrips() throws {
    var bytes = [[UInt8](repeating: 0, count: 32), [UInt8](repeating: 0xff, count: 32)]
    for _ in 0..<200 { bytes.append(Randomness.bytes(32)) }
    for bytes in bytes {
      let code = text(GroupedText.text(of: SecretBytes(copying: bytes), kind: .recoveryCode))
      #expect(try read(code, .recoveryCode) == SecretBytes(copying: bytes))
    }
    let paper = PaperKey.generate()
    #expect(try PaperKey(text: paper.text).verifyingKey == paper.verifyingKey)
    let code = RecoveryCode.generate()
    #expect(try RecoveryCode(text: code.text).secret == code.secret)
  }

  @Test func tolerance() throws {
    let bytes: [UInt8] = (0..<32).map { UInt8($0 < 16 ? 0x08 : $0 * 7) }
    let code = text(GroupedText.text(of: SecretBytes(copying: bytes), kind: .paperKey))
    try #require(code.contains("0") && code.dropFirst(2).contains("1"))
    let variants = [
      code.lowercased(), code.replacing("-", with: ""), code.replacing("-", with: " "),
      code.replacing("-", with: " - "),
      code.replacing("0", with: "O"), code.replacing("0", with: "o"), code.replacing("1", with: "I"),
      code.replacing("1", with: "l"), code.replacing("1", with: "L"), code.replacing("1", with: "i"),
      code.replacing("-", with: "\u{2013}"), code.replacing("-", with: "\u{a0}\u{2011}"), " \t\r\n\(code)\r\n",
      code.map { "\($0)-" }.joined(),
    ]
    for variant in variants { #expect(try read(variant) == SecretBytes(copying: bytes), "\(variant)") }
  }

  @Test func everySingleError() throws {
    for _ in 0..<5 {
      let code = symbols(PaperKey.generate().text)
      for position in code.indices {
        for wrong in Self.alphabet where wrong != code[position] {
          var typed = code
          typed[position] = wrong
          #expect(throws: GroupedText.Failure.wrongChecksum) { try self.read(String(typed)) }
        }
        for wrong in ["U", "u", "?", "é", "\0"] as [Character] {
          var typed = code
          typed[position] = wrong
          #expect(throws: GroupedText.Failure.invalidCharacter(position: position + 1)) {
            try self.read(String(typed))
          }
        }
      }
    }
  }

  /// Not only neighbours: any two symbols that changed places.
  @Test func everyTransposition() throws {
    for _ in 0..<5 {
      let code = symbols(PaperKey.generate().text)
      for first in code.indices {
        for second in code.indices where first < second && code[first] != code[second] {
          var typed = code
          typed.swapAt(first, second)
          #expect(throws: GroupedText.Failure.wrongChecksum) { try self.read(String(typed)) }
        }
      }
    }
  }

  @Test func everyMissingOrAdditionalSymbol() throws {
    let code = symbols(PaperKey.generate().text)
    for position in code.indices {
      var typed = code
      typed.remove(at: position)
      #expect(throws: GroupedText.Failure.wrongLength(count: 59)) { try self.read(String(typed)) }
      typed = code
      typed.insert("0", at: position)
      #expect(throws: GroupedText.Failure.wrongLength(count: 61)) { try self.read(String(typed)) }
      // One missing and one too many elsewhere: everything between has moved.
      typed = code
      typed.append(typed.remove(at: position))
      if typed != code { #expect(throws: GroupedText.Failure.self) { try self.read(String(typed)) } }
    }
    #expect(throws: GroupedText.Failure.wrongLength(count: 0)) { try read("") }
    #expect(throws: GroupedText.Failure.wrongLength(count: 100_000)) {
      try read(String(repeating: "0", count: 100_000))
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func errorsInUpToFourPlaces(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let code = symbols(PaperKey.generate().text)
    for _ in 0..<5_000 {
      var typed = code
      for position in code.indices.shuffled(using: &generator).prefix(Int.random(in: 2...4, using: &generator)) {
        typed[position] = Self.alphabet.filter { $0 != code[position] }.randomElement(using: &generator) ?? "0"
      }
      #expect(throws: GroupedText.Failure.wrongChecksum) { try self.read(String(typed)) }
    }
  }

  @Test func kindsAreKeptApart() {
    let code = RecoveryCode.generate()
    #expect(throws: GroupedText.Failure.otherKind) { try PaperKey(text: code.text) }
    #expect(throws: GroupedText.Failure.otherKind) { try RecoveryCode(text: PaperKey.generate().text) }
  }

  @Test func sentences() {
    let failures: [GroupedText.Failure] = [
      .invalidCharacter(position: 3), .wrongLength(count: 3), .wrongChecksum, .otherKind,
    ]
    #expect(Set(failures.map(\.description)).count == 4)
  }
}
