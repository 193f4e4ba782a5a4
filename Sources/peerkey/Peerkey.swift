import ArgumentParser

/// The command for people and scripts who hold keys or check what others signed.
@main
struct Peerkey: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peerkey",
    abstract: "Hold the keys of a peerstack identity: make, claim, rotate and recover them, sign and verify.",
    discussion: """
      \(Self.exitCodes)

      Options that many commands share can come from the environment: PEERKEY_REGISTRAR, PEERKEY_APP, \
      PEERKEY_KEYSTORE, PEERKEY_PASSWORD_FILE, PEERKEY_PASSWORD_MEMORY, PEERKEY_CACHE. With --json a command prints one line of JSON, also when it fails: \
      {"error":{"code":…,"detail":…}}. See docs/peerkey.md.
      """,
    groupedSubcommands: [
      CommandGroup(
        name: "Identity", subcommands: [New.self, Show.self, History.self, Watch.self, Acknowledge.self, Paper.self]),
      CommandGroup(
        name: "Key records",
        subcommands: [Claim.self, Rotate.self, Recover.self, Approve.self, Revoke.self, Amend.self, Retire.self]),
      CommandGroup(
        name: "Others", subcommands: [Resolve.self, Verify.self, ContactCommand.self, QuarantineCommand.self]),
      CommandGroup(name: "Keystore", subcommands: [Sign.self, Passwd.self, Export.self, Import.self]),
      CommandGroup(name: "Scripts", subcommands: [Hash.self]),
    ])

  /// The same in every help text.
  static let exitCodes = """
    Exit codes: 0 done; 1 refused or failed; 2 not done yet: the record is pending, a rival claim is open, or approvals \
    are missing; 3 something happened to your id (watch); 64 arguments that cannot be; 69 the registrar cannot be \
    reached; 77 wrong password.
    """
}
