import Foundation
import KeyRecords
import RegistryAPI
import Testing

/// docs/spec/protocol.md and the code say the same.
struct SpecificationTests {
  private static let text: String = {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return (try? String(contentsOf: root.appending(path: "docs/spec/protocol.md"), encoding: .utf8)) ?? ""
  }()

  /// The rows of the table of limits: name to value.
  private func limits() throws -> [String: String] {
    let section = try #require(Self.text.components(separatedBy: "## 10. Limits by name").dropFirst().first)
    var limits: [String: String] = [:]
    for line in section.components(separatedBy: "## 11.")[0].split(separator: "\n") where line.hasPrefix("| `") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      limits[cells[0].trimmingCharacters(in: ["`"])] = cells[1]
    }
    return limits
  }

  private func range<Bound: BinaryInteger>(_ range: ClosedRange<Bound>) -> String {
    "\(range.lowerBound)…\(range.upperBound)"
  }

  @Test func limitsAreThoseOfTheText() throws {
    let inCode = [
      "recordBytes": "\(Limits.recordBytes)", "authorityBytes": "\(Limits.authorityBytes)", "depth": "\(Limits.depth)",
      "tiers": range(Limits.tiers), "tierKeys": range(Limits.tierKeys), "tierName": range(Limits.tierName),
      "tierDelay": range(Limits.tierDelay), "registrarDelay": range(Limits.registrarDelay),
      "approvals": "\(Limits.approvals)", "sourceURLBytes": "\(Limits.sourceURLBytes)", "appID": range(Limits.appID),
      "nonce": range(Limits.nonce), "contestWindow": range(Limits.contestWindow),
      "contestDuration": "\(Limits.contestDuration)", "clockSkew": "\(Limits.clockSkew)",
      "idAhead": "\(Limits.idAhead)", "endGrace": "\(Limits.endGrace)", "recordsPerHour": "\(Limits.recordsPerHour)",
      "recordsPerWeek": "\(Limits.recordsPerWeek)",
      "recordsPerWeekAboveSigner": "\(Limits.recordsPerWeekAboveSigner)", "bodyBytes": "\(APILimits.bodyBytes)",
      "resolveBodyBytes": "\(APILimits.resolveBodyBytes)", "resolveIDs": range(APILimits.resolveIDs),
      "resolveAnswerBytes": "\(APILimits.resolveAnswerBytes)", "exportEntries": range(APILimits.exportEntries),
      "eventMessageBytes": "\(APILimits.eventMessageBytes)", "keyMaxAgeSeconds": "\(APILimits.keyMaxAgeSeconds)",
    ]
    #expect(try limits() == inCode)
  }

  @Test func codesAndStatusesAreThoseOfTheText() throws {
    let section = try #require(Self.text.components(separatedBy: "### Codes and statuses\n").dropFirst().first)
    let list = section.components(separatedBy: "All errors are RFC 9457")[0]
    var inText: [String: Int] = [:]
    for group in list.components(separatedBy: "·") {
      let words = group.split { " \n.".contains($0) }.map(String.init)
      let status = try #require(words.first.flatMap { Int($0) }, "\(group)")
      for code in words.dropFirst() { inText[code.trimmingCharacters(in: ["`"])] = status }
    }
    let inCode = Dictionary(uniqueKeysWithValues: ProblemCode.allCases.map { ($0.rawValue, $0.status) })
    #expect(inText == inCode)
  }
}
