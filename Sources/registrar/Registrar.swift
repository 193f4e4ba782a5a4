import ArgumentParser

/// The command: each subcommand has a file of its own.
@main
struct Registrar: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "registrar",
    abstract: "Keeps the public keys of an app's users: which key belongs to which id, and who may change that.",
    subcommands: [
      ServeCommand.self, MigrateCommand.self, AppCommand.self, UserCommand.self, AdjudicateCommand.self,
      InviteCommand.self, ExplainCommand.self, CheckCommand.self, ExportCommand.self, ImportCommand.self,
      JudgeCommand.self, KeygenCommand.self, HealthCommand.self,
    ])
}
