import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI

struct InviteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "invite", abstract: "Print an invitation to an app, for `peerkey claim --invitation`.",
    discussion: """
      Any one admin key will do, and no registrar is needed. An invitation is good for one claim; apps ask for one where \
      their policy's admission is `invite`.
      """)

  @Argument(help: "The app's id.") var app: AppID
  @Option(
    name: .customLong("admin-key"),
    help: ArgumentHelp("An admin's key file, made by `registrar keygen`.", valueName: "file"))
  var keyFile: String
  @Option(help: ArgumentHelp("The user id that may use it; without, whoever has it may.", valueName: "id"))
  var user: UserID?
  @Option(help: ArgumentHelp("How long it is good (default: 7d).", valueName: "span"))
  var expires: SpanArgument?

  private static let defaultSpan: Milliseconds = 7 * 86_400_000
  /// As unlikely to come twice as a key.
  private static let nonceBytes = 32

  func run() throws {
    let (expiry, isTooFar) = SystemTime.milliseconds.addingReportingOverflow(expires?.milliseconds ?? Self.defaultSpan)
    guard !isTooFar, expiry <= JSONValue.maxSafeInteger else { throw ValidationError("--expires is too far ahead") }
    let text = Invitation.text(
      app: app, subject: user, nonce: Base64.encode(Randomness.bytes(Self.nonceBytes)), expires: expiry,
      by: try AdminKeyFile.read(keyFile))
    TextFile.print(text)
    TextFile.say("good for one claim until \(TimeWords.utc(expiry))")
  }
}
