import ArgumentParser

struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Ask a running registrar whether it is ready.",
    discussion: "Asks for /readyz. The exit status is 0 if it is ready, and 1 if it is not or does not answer.")

  @Option(
    name: .customLong("server"),
    help: ArgumentHelp(
      "Where the registrar is. [env: REGISTRAR_SERVER; default: http://127.0.0.1:8787]", valueName: "url"))
  var serverFlag: String?

  /// Less than what supervisors wait for a check.
  private static let deadline: Duration = .milliseconds(2_500)

  func run() async throws {
    let address = Settings.text(serverFlag, "REGISTRAR_SERVER") ?? "http://127.0.0.1:8787"
    try await RegistrarServer.with(address, deadline: Self.deadline) { server in
      let answer = try await server.get("/readyz")
      guard answer.status == 200 else {
        throw CommandFailure("\(server) is not ready: it answered with status \(answer.status), see its log")
      }
      TextFile.print(Array("\(server) is ready".utf8))
    }
  }
}
