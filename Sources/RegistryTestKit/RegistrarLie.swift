import Cryptography
import KeyRecords
public import PeerstackFormat
public import RegistryClient

/// An answer to `resolve`, to be bent.
public struct BentAnswer {
  /// Index and time.
  public var asOf: JSONObject
  /// The entries of each user, in the order of the answer.
  public var users: [(id: JSONString, entries: [JSONValue])]
  /// Ids that nobody has claimed.
  public var unknown: JSONValue
  /// Ids that are put off.
  public var more: JSONValue

  /// Reads an honest answer.
  public init?(_ body: [UInt8]) {
    guard let fields = try? JSONValue.parseLenient(body).object, let asOf = fields["asOf"]?.object,
      let users = fields["users"]?.object, let unknown = fields["unknown"], let more = fields["more"]
    else { return nil }
    self.asOf = asOf
    self.users = users.members.map { ($0.0, $0.1.object?["entries"]?.array ?? []) }
    self.unknown = unknown
    self.more = more
  }

  /// The answer as it is now.
  public var answer: RegistryAnswer {
    let users = users.map { ($0.id, JSONValue.object(["entries": .array($0.entries)])) }
    let body: JSONValue = [
      "asOf": .object(asOf), "users": .object(JSONObject(users)), "unknown": unknown, "more": more,
    ]
    return RegistryAnswer(status: 200, body: body.text)
  }
}

/// A lie about a user with three records, and what a client that knows nothing of the user must make of it.
public struct RegistrarLie: Sendable, CustomStringConvertible {
  /// What it is.
  public let description: String
  /// As ``RegistryClient/Resolution/name`` has it.
  public let resolution: String
  /// The verdict on an object by the user.
  public let object: String
  /// How it is told.
  public let lie: TestRegistrar.Lie

  private static let hour: Int64 = 3_600_000

  /// A lie about answers to `resolve` alone.
  public static func bending(_ bend: @escaping @Sendable (inout BentAnswer) -> Void) -> TestRegistrar.Lie {
    { request, answer in
      guard request.method == .post, var bent = BentAnswer(answer.body) else { return nil }
      bend(&bent)
      return bent.answer
    }
  }

  /// An entry with another member.
  public static func setting(_ entry: JSONValue, _ name: JSONString, _ value: JSONValue) -> JSONValue {
    .object((entry.object ?? [:]).setting(name, to: value))
  }

  private static func setting(_ entry: JSONValue, record name: JSONString, _ value: JSONValue) -> JSONValue {
    setting(entry, "record", setting(entry.object?["record"] ?? .null, name, value))
  }

  // MARK: Entries

  /// Entries that the rules refuse, or that contradict each other or the answer.
  public static let againstTheRules: [RegistrarLie] = [
    rules("omitted") { $0.remove(at: 1) },
    rules("reordered") { $0.swapAt(1, 2) },
    rules("rank") { $0[1] = setting($0[1], "rank", 0) },
    rules("effective") { entries in
      let accepted = entries[1].object?["accepted"]?.integer ?? 0
      entries[1] = setting(entries[1], "effective", .integer(accepted + hour))
    },
    rules("accepted") { $0[2] = setting($0[2], "accepted", $0[0].object?["accepted"] ?? .null) },
    rules("forged") {
      $0[2] = setting($0[2], record: "signature", .text(Base64.encode([UInt8](repeating: 7, count: 64))))
    },
    rules("altered") {
      $0[2] = setting($0[2], record: "modified", $0[0].object?["record"]?.object?["modified"] ?? .null)
    },
    rules("twice") { $0.append(setting($0[2], "index", .integer(99))) },
    rules("index") { $0[0] = setting($0[0], "index", 0) },
    RegistrarLie(
      description: "newer than asOf", resolution: "conflict rules", object: "conflict",
      lie: bending { $0.asOf = $0.asOf.setting("index", to: 2) }),
    RegistrarLie(
      description: "asOf of the past", resolution: "conflict rules", object: "conflict",
      lie: bending { bent in
        let claimed = bent.users.first?.entries.first?.object?["accepted"]?.integer ?? 0
        bent.asOf = bent.asOf.setting("time", to: .integer(claimed - hour))
      }),
  ]

  private static func rules(
    _ name: String, _ bend: @escaping @Sendable (inout [JSONValue]) -> Void
  ) -> RegistrarLie {
    RegistrarLie(
      description: name, resolution: "conflict rules", object: "conflict",
      lie: bending { bent in if !bent.users.isEmpty { bend(&bent.users[0].entries) } })
  }

  /// An answer of tomorrow.
  public static let fromTheFuture = RegistrarLie(
    description: "from the future", resolution: "conflict time", object: "conflict",
    lie: bending { bent in
      let time = bent.asOf["time"]?.integer ?? 0
      bent.asOf = bent.asOf.setting("time", to: .integer(time + 24 * hour))
    })

  /// The entries of two users, each under the other's name.
  public static let swappedUsers = bending { bent in
    guard bent.users.count == 2 else { return }
    (bent.users[0].entries, bent.users[1].entries) = (bent.users[1].entries, bent.users[0].entries)
  }

  // MARK: Bodies

  /// Bodies that are no answer.
  public static let noAnswers: [RegistrarLie] = [
    body("empty") { _ in [] },
    body("garbage") { _ in Array("{\"asOf\":1}".utf8) },
    body("no JSON") { _ in Array("<html><body>It works!</body></html>".utf8) },
    body("a problem under 200") { _ in TestRegistrar.problem(.unknownUser).body },
    body("huge") { _ in [UInt8](repeating: 0x20, count: 16 << 20) },
    body("deep") { _ in [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20) },
    body("deep within") { _ in
      Array("{\"asOf\":{\"index\":1,\"time\":1},\"unknown\":[],\"more\":[],\"users\":".utf8)
        + Array(repeatElement(Array("{\"a\":".utf8), count: 100_000).joined())
    },
    body("endless") { honest in
      var bent = honest
      bent.more = .array(bent.users.map { .string($0.id) })
      bent.users = []
      return bent.answer.body
    },
    body("left out") { honest in
      var bent = honest
      bent.users = []
      return bent.answer.body
    },
    body("no entries") { honest in
      var bent = honest
      if !bent.users.isEmpty { bent.users[0].entries = [] }
      return bent.answer.body
    },
    RegistrarLie(description: "error", resolution: "unavailable", object: "unresolved") { request, _ in
      request.method == .post ? RegistryAnswer(status: 418, body: []) : nil
    },
  ]

  private static func body(
    _ name: String, _ body: @escaping @Sendable (BentAnswer) -> [UInt8]
  ) -> RegistrarLie {
    RegistrarLie(description: name, resolution: "unavailable", object: "unresolved") { request, answer in
      guard request.method == .post, let honest = BentAnswer(answer.body) else { return nil }
      return RegistryAnswer(status: 200, body: body(honest))
    }
  }
}

extension Resolution {
  /// What it is, in a word or two.
  public var name: String {
    switch self {
    case .user: "user"
    case .unknown: "unknown"
    case .conflict(let conflict): "conflict \(conflict.kind.rawValue)"
    case .unavailable: "unavailable"
    case .expired: "expired"
    }
  }
}
