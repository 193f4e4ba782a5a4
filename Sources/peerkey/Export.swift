import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat

/// `peerkey export`
struct Export: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a copy of the keystore: encrypted, or as peerstack's own {id, secretKey}.",
    discussion: """
      The copy has a password of its own. With --plain the key in force is written in the clear, as peerstack stores it: \
      whoever reads that file has the key.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Option(
    name: .customLong("new-password-file"),
    help: ArgumentHelp("A file with the copy's password; asked for on the terminal otherwise.", valueName: "file"))
  var newPasswordFile: String?

  @Flag(help: "Write the key in the clear.") var plain = false

  @Argument(help: ArgumentHelp("The new file.", valueName: "file")) var file: String

  func perform() async throws -> Report {
    let keystore = try common.store.unlock()
    if plain {
      try writePlain(keystore)
    } else {
      let password: Credential
      if let newPasswordFile {
        password = .password(try SecretFile.line(newPasswordFile))
      } else {
        password = try Passwd.askNewPassword()
      }
      _ = try KeystoreFile(path: file).create(
        copying: keystore,
        slots: [NewSlot(name: "password", credential: password, parameters: try common.store.parameters())])
    }
    return Report(
      json: ["id": .text(keystore.id.text), "file": .text(file), "plain": .bool(plain)],
      lines: ["wrote \(keystore.id) to \(file)\(plain ? ", in the clear" : "")"])
  }

  private func writePlain(_ keystore: OpenKeystore) throws {
    let named = try common.service.namedApp().flatMap { keystore.state(in: $0)?.current }
    guard let key = named ?? keystore.apps.compactMap(\.current).first ?? keystore.keys.last?.publicKey,
      let identity = keystore.plainIdentity(with: key)
    else { throw CommandFailure("there is no key to export") }
    try TextFile.create(file, identity.text.withBytes { $0.withUnsafeBufferPointer { Array($0) } })
  }
}
