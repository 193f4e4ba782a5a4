import ArgumentParser
import CommandArguments
import KeyRecords
import PeerstackFormat
import RegistryAPI

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Say what the rules make of a record, policy or adjudication.",
    discussion: """
      Changes nothing. Says which rule applies (by its section of the protocol), at which tier, when it takes effect, who could still stop \
      it and how, or what is missing. The exit status is 0 whatever the rules say, and 1 if nobody can be asked.
      """)

  @Argument(help: "A file as it would be posted, an invitation beside the record included; - for standard input.")
  var file: String
  @Option(help: ArgumentHelp("The app, where the file does not name one.", valueName: "id"))
  var app: AppID?
  @Flag(help: "Answer in JSON: `outcome`, `code`, `rule`, `words` and the facts.") var json = false
  @OptionGroup var access: AccessOptions

  func run() async throws {
    let body = try TextFile.read(file)
    guard body.count <= APILimits.bodyBytes else {
      throw CommandFailure("\(file) is longer than \(APILimits.bodyBytes) bytes: no registrar reads that much")
    }
    let app = try appID(body)
    let explanation = try await access.withApp(app) { try await Self.explanation(of: body, by: $0) }
    if json { return TextFile.print(explanation.json.text) }
    for line in explanation.words { TextFile.print(Array(line.utf8)) }
  }

  private func appID(_ body: [UInt8]) throws -> AppID {
    if let app { return app }
    let fields = (try? JSONValue.parseStrict(body))?.object
    let text = (fields?["record"]?.object ?? fields)?["app"]?.string
    guard let app = text.flatMap({ AppID($0) }) else {
      throw CommandFailure("\(file) names no app: give --app, or a record, policy or adjudication as JSON")
    }
    return app
  }

  private static func explanation(of body: [UInt8], by app: any AppAccess) async throws -> Explanation {
    let answer = try await app.submit(body, isDryRun: true)
    var setting = Explanation.Setting(submission: try? SubmissionBody.verify(body, app: app.id).get().submission)
    setting.base = await base(of: setting.submission, in: app)
    switch answer {
    case .refused(let code, let problem): return Explanation(refused: code, problem, in: setting)
    case .accepted(let fields):
      guard let answer = DryRunAnswer(fields) else {
        throw CommandFailure("the registrar does not answer a dry run as registrars do: check the address")
      }
      return Explanation(answer, in: setting)
    }
  }

  /// The record that it builds on, else the newest: only words hang on it, so it does no harm where it cannot be read.
  private static func base(of submission: Submission?, in app: any AppAccess) async -> KeyRecord? {
    guard let record = submission?.record, let previous = record.previous else { return nil }
    let records = ((try? await app.entries(of: record.subject)) ?? []).compactMap(\.record)
    return records.first { $0.hash == previous } ?? records.last
  }
}
