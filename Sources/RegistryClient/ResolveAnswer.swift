import KeyRecords
import PeerstackFormat
import RegistryAPI

/// An answer to `POST /resolve`, read but not judged.
struct ResolveAnswer {
  /// Containers around a record in an answer: the answer, `users`, a user, `entries`, an entry.
  private static let depthAroundRecord = 5

  let asOf: AsOf
  let entries: [UserID: [JSONValue]]
  let unknown: Set<UserID>
  let more: Set<UserID>

  /// Reads a body; nil if it is no such answer, or says two things of a user. Users that were not asked for are left out.
  init?(_ body: [UInt8], asked: Set<UserID>) {
    let depth = JSONLimits.strictMaxDepth + Self.depthAroundRecord
    guard let fields = try? JSONValue.parseStrict(body, maxDepth: depth).object,
      let asOf = fields["asOf"]?.object, let index = asOf["index"]?.integer, let time = asOf["time"]?.integer,
      let users = fields["users"]?.object, let unknown = Self.users(fields["unknown"], among: asked),
      let more = Self.users(fields["more"], among: asked)
    else { return nil }
    self.asOf = AsOf(index: index, time: time)
    self.unknown = unknown
    self.more = more
    var entries: [UserID: [JSONValue]] = [:]
    for (name, value) in users.members {
      guard let list = value.object?["entries"]?.array else { return nil }
      if let user = name.string.flatMap({ UserID($0) }), asked.contains(user) { entries[user] = list }
    }
    self.entries = entries
    guard unknown.isDisjoint(with: entries.keys), unknown.isDisjoint(with: more) else { return nil }
  }

  private static func users(_ value: JSONValue?, among asked: Set<UserID>) -> Set<UserID>? {
    guard let elements = value?.array else { return nil }
    return Set(elements.compactMap { $0.string.flatMap { UserID($0) } }).intersection(asked)
  }
}

/// An answer that is a list of entries: policies, or a user's history.
enum EntryList {
  /// Containers around a record: the answer, `entries`, an entry.
  private static let depthAroundRecord = 3

  /// Reads a body; nil if it is no such list.
  static func read(_ body: [UInt8]) -> [JSONValue]? {
    let depth = JSONLimits.strictMaxDepth + depthAroundRecord
    return (try? JSONValue.parseStrict(body, maxDepth: depth))?.object?["entries"]?.array
  }

  /// Reads entries that were stored one by one; nil if one is no JSON.
  static func read(_ texts: [[UInt8]]) -> [JSONValue]? {
    var values: [JSONValue] = []
    for text in texts {
      guard let value = try? JSONValue.parseStrict(text, maxDepth: JSONLimits.strictMaxDepth + 1) else { return nil }
      values.append(value)
    }
    return values
  }
}
