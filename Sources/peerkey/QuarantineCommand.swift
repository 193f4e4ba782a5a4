import ArgumentParser
import CommandArguments
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryCache
import RegistryClient

/// `peerkey quarantine`
struct QuarantineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quarantine",
    abstract: "What waits for the keys of its signers.",
    discussion: """
      peerkey verify --quarantine puts objects there whose signers are not known yet. At most 10,000 objects of 64 MiB in \
      all, 1,000 of one signer, for 30 days; the oldest go first.
      """,
    subcommands: [QuarantineList.self, QuarantineRetry.self, QuarantineDrop.self])
}

/// `peerkey quarantine list`
struct QuarantineList: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show who is waited for.",
    discussion: "Asks nobody, and needs no password.\n\n\(Peerkey.exitCodes)")

  @OptionGroup var common: CommonOptions

  func perform() async throws -> Report {
    let app = try common.appOfCache()
    let shares = try await common.cachePlace.openFile(app)?.quarantineShares() ?? []
    return Report(
      json: [
        "app": .text(app.text),
        "signers": .array(
          shares.map {
            [
              "signer": .text($0.signer.text), "count": .integer(Int64($0.count)), "bytes": .integer(Int64($0.bytes)),
              "oldest": .integer($0.oldest),
            ]
          }),
      ],
      lines: shares.isEmpty ? ["nothing waits in \(app)"] : shares.map(Self.line))
  }

  private static func line(_ share: QuarantineShare) -> String {
    "\(share.signer)  \(share.count) objects, \(share.bytes) bytes, the oldest from \(TimeWords.utc(share.oldest))"
  }
}

/// `peerkey quarantine drop`
struct QuarantineDrop: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "drop", abstract: "Throw away what waits for users, without judging it.",
    discussion: "Asks nobody, and needs no password.\n\n\(Peerkey.exitCodes)")

  @OptionGroup var common: CommonOptions

  @Argument(help: "User ids.") var users: [UserID] = []

  @Flag(help: "What waits for anybody.") var all = false

  func validate() throws {
    guard all == users.isEmpty else { throw ValidationError("whose objects: give ids, or --all") }
  }

  func perform() async throws -> Report {
    let app = try common.appOfCache()
    var count = 0
    if let store = try common.cachePlace.openFile(app) {
      let signers = all ? try await store.quarantinedSigners() : Set(users)
      let objects = try await store.quarantined(by: signers)
      try await store.release(Set(objects.map(\.digest)))
      count = objects.count
    }
    return Report(
      json: ["app": .text(app.text), "dropped": .integer(Int64(count))], lines: ["dropped \(count) objects"])
  }
}

extension CommonOptions {
  /// The app that was named, or the only one of the keystore, if there is one.
  func appOfCache() throws -> AppID { try app(of: try? store.file.read()) }
}
