import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey import`
struct Import: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a keystore from an exported one, or from peerstack's own {id, secretKey}.",
    discussion: """
      --password-file is the new keystore's password; an exported keystore opens with --old-password-file. From \
      peerstack's JSON a paper key is made too: claim the id, and it counts.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var paper: PaperOutput

  @Option(
    name: .customLong("old-password-file"),
    help: ArgumentHelp("A file with the exported keystore's password.", valueName: "file"))
  var oldPasswordFile: String?

  @Flag(name: .customLong("no-paper"), help: "Make no paper key.") var noPaper = false

  @Argument(help: ArgumentHelp("An exported keystore, or JSON with id and secretKey.", valueName: "file"))
  var file: String

  func perform() async throws -> Report {
    let bytes = try SecretFile.whole(file)
    let sealed: SealedKeystore?
    do throws(KeystoreError) {
      sealed = try SealedKeystore(parsing: bytes.withBytes { $0.withUnsafeBufferPointer { Array($0) } })
    } catch {
      guard error == .notAKeystore else { throw error }
      sealed = nil
    }
    return try sealed.map { try importKeystore($0) } ?? importPlain(bytes)
  }

  private func importKeystore(_ sealed: SealedKeystore) throws -> Report {
    let old: Credential
    if let oldPasswordFile {
      old = .password(try SecretFile.line(oldPasswordFile))
    } else {
      old = .password(try Terminal.secret("password of \(file): ", else: "give --old-password-file"))
    }
    let keystore = try sealed.unlock(with: old)
    try TextFile.makeFolder(of: common.store.path)
    _ = try common.store.file.create(copying: keystore, slots: [try slot()])
    return report(keystore.id)
  }

  private func importPlain(_ bytes: SecretBytes) throws -> Report {
    let identity: PlainIdentity
    do throws(PlainIdentity.Failure) {
      identity = try PlainIdentity(parsing: bytes)
    } catch {
      throw CommandFailure("cannot import \(file): \(error)", code: "malformed")
    }
    try TextFile.makeFolder(of: common.store.path)
    let session = try common.store.file.create(
      id: identity.id, key: identity.key, at: SystemClock().now(), slots: [try slot()])
    if let app = try common.service.namedApp() { try session.addApp(app, registrars: []) }
    let paperKey = noPaper ? nil : PaperKey.generate()
    if let paperKey { try session.addPaperKey(paperKey.verifyingKey) }
    var report = report(identity.id)
    let (lines, json) = try paper.show(paperKey)
    report.lines += lines
    report.json = JSONObject(report.json.members + json)
    return report
  }

  private func slot() throws -> NewSlot {
    NewSlot(name: "password", credential: try common.store.newPassword(), parameters: try common.store.parameters())
  }

  private func report(_ id: UserID) -> Report {
    Report(
      json: ["id": .text(id.text), "keystore": .text(common.store.path)],
      lines: ["imported \(id) to \(common.store.path)"])
  }
}
