import ArgumentParser
import BatchVerifier
import PeerstackFormat

/// What a command has to say when it is done: as one JSON object, or as lines for people.
struct Report {
  var status = ExitStatus.done
  var json: JSONObject
  var lines: [String]
}

/// A command with the common options that ends in a report.
protocol KeyCommand: AsyncParsableCommand {
  var common: CommonOptions { get }
  func perform() async throws -> Report
}

extension KeyCommand {
  func run() async throws {
    let report: Report
    do {
      report = try await perform()
    } catch let error as ValidationError {
      throw error
    } catch let error as ExitCode {
      throw error
    } catch {
      let failure = CommandFailure(error)
      if common.json { try Console.answer(failure.json.text) }
      Console.say("peerkey: \(failure.description)")
      throw failure.status.code
    }
    if common.json {
      try Console.answer(JSONValue.object(report.json).text)
    } else {
      try Console.answer(Array(report.lines.joined(separator: "\n").utf8))
    }
    if report.status != .done { throw report.status.code }
  }
}

/// Standard output for answers, standard error for what is said along the way.
enum Console {
  static func answer(_ text: [UInt8]) throws {
    guard !text.isEmpty else { return }
    try Descriptor.standardOutput.writeAll(text + [UInt8(ascii: "\n")], step: "cannot write the answer")
  }

  /// Nobody may be listening; that is no reason to stop.
  static func say(_ line: String) {
    try? Descriptor.standardError.writeAll(Array((line + "\n").utf8), step: "cannot write to standard error")
  }
}
