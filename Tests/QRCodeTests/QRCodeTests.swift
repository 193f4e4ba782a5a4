import Foundation
import QRCode
import Testing

struct QRCodeTests {
  /// What zbar, an independent reader, sees in a drawing.
  private func read(_ lines: [String]) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "qr-\(UUID().uuidString).pgm")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(image(of: lines)).write(to: path)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/zbarimg")
    process.arguments = ["--quiet", "--raw", "--nodbus", path.path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let text = String(decoding: data, as: UTF8.self)
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }

  /// A picture of what a terminal with light letters on a dark ground shows: what is tested are the characters.
  private func image(of lines: [String]) -> [UInt8] {
    let scale = 4
    var rows: [[UInt8]] = []
    for line in lines {
      var (upper, lower): ([UInt8], [UInt8]) = ([], [])
      for character in line.unicodeScalars {
        upper += Array(repeating: character == "█" || character == "▀" ? 255 : 0, count: scale)
        lower += Array(repeating: character == "█" || character == "▄" ? 255 : 0, count: scale)
      }
      rows += Array(repeating: upper, count: scale) + Array(repeating: lower, count: scale)
    }
    return Array("P5\n\(rows.first?.count ?? 0) \(rows.count)\n255\n".utf8) + rows.flatMap(\.self)
  }

  @Test(arguments: ["A", "PEERKEY:SAFETY:1:CHAT.EXAMPLE:0123456789", "https://example.org/~me?a=b", "x\ny"])
  func whatIsDrawnCanBeRead(_ text: String) throws {
    for correction in [QRCode.Correction.low, .medium] {
      #expect(try read(QRCode(text, correction: correction).lines(.plain)) == text)
    }
  }

  @Test func theLongestTextsFit() throws {
    let alphanumeric = String(repeating: "A7", count: QRCode.maxTextBytes / 2)
    let code = try QRCode(alphanumeric)
    #expect(code.size == QRCode.sizes.upperBound && code.columns == 185)
    #expect(try read(code.lines(.plain)) == alphanumeric)
    #expect(throws: QRCode.Failure.tooLong(bytes: 4_297)) { try QRCode(alphanumeric + "A") }
    #expect(throws: QRCode.Failure.tooLong(bytes: 4_296)) { try QRCode(alphanumeric, correction: .medium) }
    let lower = String(repeating: "a", count: 2_953)
    #expect(try QRCode(lower).size == 177)
    #expect(throws: QRCode.Failure.tooLong(bytes: 2_954)) { try QRCode(lower + "a") }
  }

  @Test func textsThatCannotBeDrawnAreRefused() {
    #expect(throws: QRCode.Failure.unusableText) { try QRCode("") }
    #expect(throws: QRCode.Failure.unusableText) { try QRCode("a\u{0}b") }
    #expect(throws: QRCode.Failure.unusableText) { try QRCode("Zoë") }
    #expect(throws: QRCode.Failure.tooLong(bytes: 1_000_000)) { try QRCode(String(repeating: "a", count: 1_000_000)) }
  }

  @Test func theQuietZoneIsLightAndColoursAreSetOnEveryLine() throws {
    let code = try QRCode("A")
    #expect(code.size == 21 && !code[-1, 0] && !code[21, 0] && !code[0, 21] && code[0, 0])
    let plain = code.lines(.plain)
    #expect(plain.count == 15 && plain.allSatisfy { $0.unicodeScalars.count == code.columns })
    #expect(plain[0] == String(repeating: "█", count: code.columns) && plain[1] == plain[0])
    #expect(plain.allSatisfy { $0.hasPrefix("████") && $0.hasSuffix("████") || $0 == plain.last })
    #expect(code.lines(.colored) == plain.map { "\u{1b}[97;40m\($0)\u{1b}[0m" })
  }
}
