import ArgumentParser
import CommandArguments
import KeyRecords
import Registry
import RegistryAPI

struct UserCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "Show users.", subcommands: [Show.self])

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the state of a user as JSON: status, keys, authority, and what became of each entry.")

    @Argument(help: "The app's id.") var app: AppID
    @Argument(help: "The user's id.") var user: UserID
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      let text = try await database.withApp(app) { _, app in
        guard let snapshot = try await app.user(user) else {
          throw CommandFailure("nobody has claimed \(user) in \(app.id)")
        }
        return snapshot.stateText
      }
      TextFile.print(text)
    }
  }
}
