import ArgumentParser
import Postgres
import Registry

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the database's schema up to date.",
    discussion: """
      Forward only, each migration in a transaction of its own. The user that the database's address names must be able \
      to make tables, and the role peerstack_registrar if it is not there.
      """)

  @OptionGroup var database: DatabaseOptions

  @Flag(help: "Only say which migrations would be applied.")
  var dryRun = false

  func run() async throws {
    let names = try await database.withDatabase { postgres in
      try await Registry.migrationRunner(postgres).migrate(dryRun: dryRun)
    }
    if names.isEmpty { TextFile.print(Array("the schema is up to date".utf8)) }
    for name in names { TextFile.print(Array("\(dryRun ? "would apply" : "applied") \(name)".utf8)) }
  }
}
