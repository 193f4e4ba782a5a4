import ArgumentParser

/// The command for people and scripts who hold keys or check what others signed.
@main
struct Peerkey: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peerkey",
    abstract: "Hash and verify peerstack objects.",
    discussion: """
      Exit codes: 0 when everything that was asked was done (verify: when all objects were judged, whatever the \
      verdicts), 1 when it was not, 64 for arguments that cannot be.
      """,
    subcommands: [Hash.self, Verify.self])
}

/// A failure with a sentence for people; exit code 1.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
