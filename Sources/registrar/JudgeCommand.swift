import ArgumentParser
import Conformance
import PeerstackFormat

struct JudgeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Run a file of conformance histories through the rules.",
    discussion: """
      Prints one JSON line per case: what comes of each step, the state at the end, and the verdict on each object. The \
      expected values in the file are not looked at. The format is described in docs/conformance.md.
      """)

  @Argument(help: "A file with `cases`, as Tests/Vectors/key-histories/histories.json.")
  var file: String

  func run() throws {
    let text = try TextFile.read(file)
    let value: JSONValue
    do {
      value = try JSONValue.parseLenient(text, limits: JSONLimits(maxBytes: JSONLimits.maxBytesCeiling))
    } catch {
      throw CommandFailure("cannot read \(file) as JSON: \(error)")
    }
    guard let cases = value.object?["cases"]?.array else {
      throw CommandFailure("\(file) has no list `cases`: see docs/conformance.md for the format")
    }
    for (number, fields) in cases.enumerated() {
      do {
        var history = try HistoryCase(fields)
        TextFile.print(try history.run().text)
      } catch {
        throw CommandFailure("case \(number) of \(file): \(error)")
      }
    }
  }
}
