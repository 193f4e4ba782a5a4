import ArgumentParser
import CommandArguments
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryCache
import RegistryClient
import RegistryConnection

/// `peerkey quarantine retry`
struct QuarantineRetry: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Look up who is waited for, and judge what waits again.",
    discussion: """
      Prints each object that can be judged now, with its verdict, and takes it out of the quarantine once that is \
      written. What still cannot be judged stays. An object counts as seen when it was put into the quarantine.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "Whose objects; everybody's unless given.") var users: [UserID] = []

  @Flag(help: "Leave everything in the quarantine.") var keep = false

  func perform() async throws -> Report {
    let app = try common.appOfCache()
    let address = try common.registrar(of: try? common.store.file.read(), for: app)
    guard let cache = try common.cachePlace.openFile(app) else { return report([], waiting: 0, app, address) }
    return try await RegistrarLink.openReading(
      address, app: app, cache: common.cachePlace, keystore: common.store
    ) { link in
      let watched = WatchedSigners(link.resolver, since: link.opened)
      let quarantine = Quarantine(signers: watched, store: cache)
      let signers = users.isEmpty ? try await cache.quarantinedSigners() : Set(users)
      let judged = try await quarantine.judgeAgain(signers, .always)
      let all = try await cache.quarantineShares().reduce(0) { $0 + $1.count }
      var report = report(judged, waiting: all - judged.count, app, address)
      if !keep { report.whenWritten = { try await quarantine.release(judged) } }
      if let reason = watched.unavailable {
        report.status = .unreachable
        let step = "some signers could not be looked up, and their objects stay"
        Console.say("peerkey: \(link.failure(step, unavailable: reason).description)")
      }
      return report
    }
  }

  private func report(_ judged: [ReleasedObject], waiting: Int, _ app: AppID, _ address: RegistrarAddress) -> Report {
    Report(
      json: [
        "app": .text(app.text), "registrar": .text(address.description), "judged": .array(judged.map(Self.json)),
        "waiting": .integer(Int64(waiting)),
      ],
      lines: judged.map(Self.line) + ["\(judged.count) objects judged, \(waiting) wait still"])
  }

  private static func json(_ object: ReleasedObject) -> JSONValue {
    [
      "signer": .text(object.signer.text), "id": object.judgment.id.map { .string($0) } ?? .null,
      "verdict": .text(object.judgment.verdict.rawValue), "reason": .text(object.judgment.reason),
      "received": .integer(object.received), "text": .text(String(decoding: object.text, as: UTF8.self)),
    ]
  }

  private static func line(_ object: ReleasedObject) -> String {
    "\(object.judgment.verdict.rawValue)  \(harmless(object.text))  (\(object.judgment.reason))"
  }

  /// The same JSON without characters that steer a terminal: they can stand in its strings alone.
  private static func harmless(_ text: [UInt8]) -> String {
    String(decoding: text, as: UTF8.self).unicodeScalars.reduce(into: "") { line, scalar in
      switch scalar.value {
      case 0..<0x20: line.append(" ")
      case 0x7f...0x9f, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069:
        let digits = String(scalar.value, radix: 16)
        line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: line.unicodeScalars.append(scalar)
      }
    }
  }
}
