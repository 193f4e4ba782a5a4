import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat

/// `peerkey passwd`
struct Passwd: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Change the keystore's password, or add a recovery code for it.",
    discussion: """
      Everything is encrypted anew under a new key, so an old copy of the file and the old password open nothing that is \
      written from now on. A recovery code opens the keystore when the password is forgotten; a new password makes it \
      void. It is no paper key: it is of no use without the file.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Option(
    name: .customLong("new-password-file"),
    help: ArgumentHelp("A file with the new password; asked for on the terminal otherwise.", valueName: "file"))
  var newPasswordFile: String?

  @Option(
    name: .customLong("recovery-code-file"),
    help: ArgumentHelp(
      "Open the keystore with the recovery code in a file: the password was forgotten.", valueName: "file"))
  var recoveryCodeFile: String?

  @Flag(
    name: .customLong("add-recovery-code"),
    help: "Print a recovery code that opens the keystore too, and leave the password as it is.")
  var addRecoveryCode = false

  @Option(
    name: .customLong("unlock-time"),
    help: ArgumentHelp("How long opening the keystore should take on this machine, in milliseconds.", valueName: "ms"))
  var unlockTime: Int?

  private static let codeSlot = "recovery-code"

  func validate() throws {
    if let unlockTime, !(50...60_000).contains(unlockTime) {
      throw ValidationError("--unlock-time is 50 to 60000 milliseconds")
    }
  }

  func perform() async throws -> Report {
    _ = try common.store.file.read()
    let session = try common.store.file.openSession(
      with: try credential(), wait: .seconds(10), strengtheningTo: nil)
    let parameters = try parameters()
    if addRecoveryCode { return try addCode(session, parameters) }
    let password: Credential
    if let newPasswordFile {
      password = .password(try SecretFile.line(newPasswordFile))
    } else {
      password = try Self.askNewPassword()
    }
    try session.rekey(slots: [NewSlot(name: "password", credential: password, parameters: parameters)])
    return Report(
      json: [
        "id": .text(session.keystore.id.text), "keystore": .text(common.store.path),
        "memoryKiB": .integer(Int64(parameters.memoryKiB)), "passes": .integer(Int64(parameters.passes)),
      ], lines: ["changed the password of \(common.store.path)"])
  }

  private func credential() throws -> Credential {
    guard let recoveryCodeFile else { return try common.store.password() }
    let text = try SecretFile.line(recoveryCodeFile)
    do throws(GroupedText.Failure) {
      return .recoveryCode(try RecoveryCode(text: text))
    } catch {
      throw CommandFailure("no recovery code in \(recoveryCodeFile): \(error)", code: "recovery-code")
    }
  }

  /// Asks for a new password, twice.
  static func askNewPassword() throws -> Credential {
    let first = try Terminal.secret("new password: ", else: "give --new-password-file")
    guard try Terminal.secret("new password, again: ", else: "give --new-password-file") == first else {
      throw CommandFailure("the passwords differ: try again", code: "passwords-differ")
    }
    return .password(first)
  }

  private func parameters() throws -> Argon2idParameters {
    let wanted = try common.store.parameters()
    guard let unlockTime else { return wanted }
    return try Argon2idCalibration.parameters(time: .milliseconds(unlockTime), memoryKiB: wanted.memoryKiB)
  }

  private func addCode(_ session: KeystoreSession, _ parameters: Argon2idParameters) throws -> Report {
    let code = RecoveryCode.generate()
    let slot = NewSlot(name: Self.codeSlot, credential: .recoveryCode(code), parameters: parameters)
    if session.keystore.slots.contains(where: { $0.name == Self.codeSlot }) {
      try session.replaceSlot(slot)
    } else {
      try session.addSlot(slot)
    }
    let text = code.text.withBytes { $0.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }
    return Report(
      json: ["id": .text(session.keystore.id.text), "recoveryCode": .text(text)],
      lines: [
        "", "The recovery code of this keystore. It is shown only now:", "", "    \(text)", "",
        "With it and the file, the keystore opens without its password: peerkey passwd --recovery-code-file.",
      ])
  }
}
