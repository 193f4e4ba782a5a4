import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords
import Registry
import RegistryAPI

struct AppCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "app", abstract: "Create and show apps, and change their policies.",
    subcommands: [Create.self, Show.self, List.self, PolicyCommand.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create an app by its first policy.",
      discussion: """
        The policy is signed with the admin keys, which need not be on this machine afterwards. Whoever holds as many of \
        them as the threshold says owns the policy for good: two or more are advised.
        """)

    @Argument(help: "The app's id, as chat.example.") var id: AppID
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var policy: PolicyOptions

    func run() async throws {
      let (text, now) = (try policy.firstPolicy(of: id, now: SystemTime.milliseconds), SystemTime.milliseconds)
      let entry = try await database.withRegistry { registry in
        switch try await registry.createApp(text, id: id) {
        case .created(let entry), .repeated(let entry): return entry
        case .refused(let refusal):
          let problem = Problem(refusal)
          throw CommandFailure("cannot create \(id) at \(now): \(problem.code.rawValue): \(problem.detail)")
        }
      }
      TextFile.print(entry)
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show an app: its policy, latest index and users.")

    @Argument(help: "The app's id.") var id: AppID
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      let text = try await database.withApp(id) { _, app in try app.snapshot().text }
      TextFile.print(text)
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the apps' ids, the oldest first.")

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      for id in try await database.withRegistry({ try await $0.appIDs() }) { TextFile.print(Array(id.text.utf8)) }
    }
  }
}
