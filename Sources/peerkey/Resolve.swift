import ArgumentParser
import CommandArguments
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryConnection

/// `peerkey resolve`
struct Resolve: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look up the keys of users.",
    discussion: """
      What the registrar says is judged from the first record on, and held against what was pinned before. Ends with 1 if \
      a user is unknown or in conflict. When the registrar cannot be reached, or with --offline, what it said within the \
      last seven days is shown, with its age; 69 if some users are not known from then.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var offline: OfflineOptions

  @Argument(help: "User ids.") var users: [UserID]

  func validate() throws {
    guard !users.isEmpty else { throw ValidationError("which users: give at least one id") }
  }

  func perform() async throws -> Report {
    let app = try common.app()
    let address = try common.registrar(for: app)
    return try await RegistrarLink.openReading(
      address, app: app, cache: common.cachePlace, isOffline: offline.isOffline, keystore: common.store
    ) { link in
      let answers = try await link.resolver.resolve(Set(users), .always)
      let known = users.compactMap { answers[$0]?.user }
      let missing = users.compactMap { answers[$0]?.unavailability }
      if let reason = missing.first {
        let failure = link.failure("cannot look up \(missing.count) users", unavailable: reason)
        // Where nothing can be shown of anybody, it is the command that fails.
        guard failure.status == .unreachable, users.contains(where: { answers[$0]?.isKnownSoFar ?? false }) else {
          throw failure
        }
        Console.say("peerkey: \(failure.description)")
      }
      try link.checkKept(known)
      link.noteKept(known)
      var isWhole = true
      var json: [JSONValue] = []
      var lines: [String] = []
      for id in users {
        let answer = answers[id] ?? .unknown
        if answer.user == nil { isWhole = false }
        json.append(Self.json(id, answer))
        lines += Self.lines(id, answer)
      }
      return Report(
        status: isWhole ? .done : missing.isEmpty ? .failed : .unreachable,
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
    case .unavailable(let reason): return ["id": .text(id.text), "result": "unavailable", "reason": .text(reason)]
    case .expired(let checked): return ["id": .text(id.text), "result": "expired", "checked": .integer(checked)]
    }
  }

  private static func lines(_ id: UserID, _ answer: Resolution) -> [String] {
    switch answer {
    case .user(let user): ["id          \(id)"] + user.lines()
    case .unknown: ["id          \(id)", "status      unknown: nobody has claimed it"]
    case .conflict(let conflict): ["id          \(id)", "status      CONFLICT: \(conflict.reason)"]
    case .unavailable(let reason): ["id          \(id)", "status      unavailable: \(reason)"]
    case .expired(let checked): ["id          \(id)", "status      expired: \(RegistrarLink.expired(checked))"]
    }
  }
}

extension Resolution {
  /// Whether anything is known of the user, of whatever age.
  fileprivate var isKnownSoFar: Bool {
    switch self {
    case .unavailable: false
    case .user, .unknown, .conflict, .expired: true
    }
  }
}
