import ArgumentParser
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryConnection

/// `peerkey resolve`
struct Resolve: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look up the keys of users.",
    discussion: """
      What the registrar says is judged from the first record on. Ends with 1 if a user is unknown or in conflict.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "User ids.") var users: [UserArgument]

  func validate() throws {
    guard !users.isEmpty else { throw ValidationError("which users: give at least one id") }
  }

  func perform() async throws -> Report {
    let app = try common.app()
    let address = try common.registrar(for: app)
    return try await RegistrarLink.openReading(address, app: app, keystore: common.store) { link in
      let ids = users.map(\.user)
      let answers = try await link.resolver.resolve(Set(ids), .always)
      let reasons = ids.compactMap { if case .unavailable(let reason) = answers[$0] { reason } else { nil } }
      if let reason = reasons.first { throw link.failure("cannot look up \(reasons.count) users", unavailable: reason) }
      var isWhole = true
      var json: [JSONValue] = []
      var lines: [String] = []
      for id in ids {
        let answer = answers[id] ?? .unknown
        if answer.user == nil { isWhole = false }
        json.append(Self.json(id, answer))
        lines += Self.lines(id, answer)
      }
      return Report(
        status: isWhole ? .done : .failed,
        json: ["app": .text(app.text), "registrar": .text(address.description), "users": .array(json)], lines: lines)
    }
  }

  private static func json(_ id: UserID, _ answer: Resolution) -> JSONValue {
    switch answer {
    case .user(let user): return .object(JSONObject([("id", .text(id.text)), ("result", "known")] + user.json))
    case .unknown: return ["id": .text(id.text), "result": "unknown"]
    case .conflict(let conflict):
      return [
        "id": .text(id.text), "result": "conflict", "kind": .text(conflict.kind.rawValue),
        "reason": .text(conflict.reason),
      ]
    case .expired(let checked): return ["id": .text(id.text), "result": "expired", "checked": .integer(checked)]
    case .unavailable(let reason): return ["id": .text(id.text), "result": "unavailable", "reason": .text(reason)]
    }
  }

  private static func lines(_ id: UserID, _ answer: Resolution) -> [String] {
    switch answer {
    case .user(let user): ["id          \(id)"] + user.lines()
    case .unknown: ["id          \(id)", "status      unknown: nobody has claimed it"]
    case .conflict(let conflict): ["id          \(id)", "status      CONFLICT: \(conflict.reason)"]
    case .expired: ["id          \(id)", "status      expired: what is known is too old"]
    case .unavailable(let reason): ["id          \(id)", "status      unavailable: \(reason)"]
    }
  }
}
