import Conformance
import Foundation
import KeyRecords
import PeerstackFormat
import Testing

/// The histories of Tests/Vectors through the rules, compared with what independent models made of them.
struct HistoryTests {
  static let shared = cases(of: "key-histories")
  static let own = cases(of: "own-histories")
  static let cases = shared + own

  private static func cases(of name: String) -> [JSONObject] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    guard let data = try? Data(contentsOf: folder.appending(path: "Vectors/\(name)/histories.json")),
      let file = try? JSONValue.parseLenient([UInt8](data))
    else { return [] }
    return (file.object?["cases"]?.array ?? []).compactMap(\.object)
  }

  @Test func allCasesAreThere() {
    #expect(Self.shared.count >= 72)
    #expect(Self.own.count >= 45)
    #expect(Set(Self.cases.compactMap { $0["name"]?.string }).count == Self.cases.count)
  }

  @Test(arguments: cases.map { $0["name"]?.string ?? "?" })
  func history(name: String) throws {
    let expected = try #require(Self.cases.first { $0["name"]?.string == name })
    var history = try HistoryCase(.object(withoutExpectations(expected)))
    let result = try #require(history.run().object)
    let outcomes = try #require(result["steps"]?.array)
    let steps = try #require(expected["steps"]?.array)
    try #require(outcomes.count == steps.count)
    for (number, (step, outcome)) in zip(steps.compactMap(\.object), outcomes.compactMap(\.object)).enumerated() {
      #expect(outcome["outcome"] == step["expect"], "step \(number)")
      #expect(outcome["entry"] == step["entry"], "step \(number)")
      if let index = step["index"] { #expect(outcome["index"] == index, "step \(number)") }
      for (name, value) in step["facts"]?.object?.members ?? [] {
        #expect(outcome["facts"]?.object?[name] == value, "step \(number): \(name)")
      }
    }
    #expect(result["state"] == expected["final"]?.object?["state"])
    let verdicts = (expected["objects"]?.array ?? []).map { $0.object?["verdict"] ?? .null }
    #expect(result["objects"]?.array == verdicts)
  }

  /// The case with the expected values taken out, so that nothing can be read from them.
  private func withoutExpectations(_ fields: JSONObject) -> JSONObject {
    let steps = (fields["steps"]?.array ?? []).map { step in
      JSONValue.object(step.object?.omitting(["expect", "entry", "index", "facts"]) ?? [:])
    }
    let objects = (fields["objects"]?.array ?? []).map { JSONValue.object($0.object?.omitting(["verdict"]) ?? [:]) }
    let final = fields["final"]?.object?.omitting(["state"]) ?? [:]
    return fields.setting("steps", to: .array(steps)).setting("objects", to: .array(objects))
      .setting("final", to: .object(final))
  }
}
