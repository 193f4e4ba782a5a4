import ArgumentParser
import BatchVerifier
import PeerstackFormat

/// What a command has to say when it is done: as one JSON object, or as lines for people.
struct Report {
  var status = ExitStatus.done
  var json: JSONObject
  var lines: [String]
  /// What may be done only when somebody has the answer.
  var whenWritten: (() async throws -> Void)?
}

extension Report {
  fileprivate func write(asJSON isJSON: Bool) throws {
    try Console.answer(isJSON ? JSONValue.object(json).text : Array(lines.joined(separator: "\n").utf8))
  }
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
      try report.write(asJSON: common.json)
      try await report.whenWritten?()
    } catch {
      throw try CommandFailure.ending(error, asJSON: common.json)
    }
    if report.status != .done { throw report.status.code }
  }
}

extension CommandFailure {
  /// What a command throws for an error, which is told first: as itself where the argument parser words it.
  static func ending(_ error: any Error, asJSON isJSON: Bool) throws -> any Error {
    if error is ValidationError || error is ExitCode { return error }
    let failure = CommandFailure(error)
    if isJSON { try Console.answer(failure.json.text) }
    Console.say("peerkey: \(failure.description)")
    return failure.status.code
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
