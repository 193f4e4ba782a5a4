import ArgumentParser
import CommandArguments
import KeyRecords
import Registry

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Replay every entry through the rules and compare all that follows from them.",
    discussion: """
      Signatures are verified again. May run beside registrars. The exit status is 1 if there is any difference; each is \
      a line on standard output.
      """)

  @Argument(help: "An app's id; all apps without it.") var app: AppID?
  @OptionGroup var database: DatabaseOptions

  func run() async throws {
    let report = try await database.withRegistryDatabase { postgres, loop in
      try await Registry.check(postgres, app: app, loop: loop)
    }
    for difference in report.differences { TextFile.print(Array(difference.description.utf8)) }
    let untold = report.differenceCount - report.differences.count
    if untold > 0 { TextFile.print(Array("and \(untold) more".utf8)) }
    let checked = "\(report.appCount) apps, \(report.userCount) users, \(report.entryCount) entries"
    guard report.differenceCount == 0 else {
      throw CommandFailure("\(report.differenceCount) differences in \(checked)")
    }
    TextFile.print(Array("\(checked): everything is as the entries say".utf8))
  }
}
