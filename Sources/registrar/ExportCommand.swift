import ArgumentParser
import CommandArguments
import KeyRecords
import Registry
import RegistryAPI

struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Print an app's entries as JSON Lines, in the order of their indexes.")

  @Argument(help: "The app's id.") var app: AppID
  @Option(help: ArgumentHelp("Begin after this index.", valueName: "index")) var after: Int64?
  @OptionGroup var database: DatabaseOptions

  func run() async throws {
    try await database.withApp(app) { _, app in
      let last = try app.snapshot().index
      var cursor = after
      while cursor ?? -1 < last {
        let page = try await app.export(after: cursor, limit: APILimits.exportEntries.upperBound)
        if page.isEmpty { return }
        // Indexes have no gaps.
        cursor = (cursor ?? -1) + Int64(page.count { $0 == UInt8(ascii: "\n") })
        TextFile.print(page.last == UInt8(ascii: "\n") ? Array(page.dropLast()) : page)
      }
    }
  }
}

struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Put an export into an app that does not exist yet.",
    discussion: """
      Each entry is judged again, and keeps its index and times. All or nothing. Nonces of invitations are in no export: \
      those that were used before can be used again until the invitations expire.
      """)

  @Argument(help: "The app's id.") var app: AppID
  @Argument(help: "A file of JSON Lines, as `registrar export` prints it.") var file: String
  @OptionGroup var database: DatabaseOptions

  func run() async throws {
    let lines = try TextFile.lines(of: file)
    let count = try await database.withRegistryDatabase { postgres, loop in
      try await Registry.importEntries(lines, app: app, postgres: postgres, loop: loop)
    }
    TextFile.print(Array("imported \(count) entries of \(app)".utf8))
  }
}
