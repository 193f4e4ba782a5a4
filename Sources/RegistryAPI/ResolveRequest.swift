public import KeyRecords
import PeerstackFormat

/// The body of `POST /apps/{app}/resolve` (docs/spec/protocol.md §8).
public struct ResolveRequest: Sendable {
  /// The users asked for, each once, in the order given.
  public var ids: [UserID]
  /// Of users asked for: the record hash of the last entry the client knows.
  public var have: [UserID: RecordHash]
  /// What was asked for and is no user id, each once: it is `unknown`.
  public var unknown: [String]

  /// A request for these users.
  public init(ids: [UserID], have: [UserID: RecordHash] = [:]) {
    self.ids = ids
    self.have = have
    unknown = []
  }

  /// Reads a body.
  public static func read(_ body: [UInt8]) -> Result<ResolveRequest, Refusal> {
    if let request = plain(body) { return .success(request) }
    guard let value = try? JSONValue.parseStrict(body) else { return .failure(Refusal(.malformed)) }
    return Result { () throws(Refusal) in try ResolveRequest(value) }
  }

  /// Reads the usual body, `{"ids":["…",…]}` with nothing but user ids, each once, straight from its bytes. Nil for every
  /// other: that says nothing about it.
  public static func plain(_ body: [UInt8]) -> ResolveRequest? {
    guard let ids = plainIDs(body), PlainReader.areDistinct(ids) else { return nil }
    return ResolveRequest(ids: ids)
  }

  /// The ids of the usual body as they come: one may come twice, which is left for the caller to see.
  public static func plainIDs(_ body: [UInt8]) -> [UserID]? { PlainReader.ids(body) }

  private init(_ value: JSONValue) throws(Refusal) {
    guard let fields = value.object else { throw .invalidField("") }
    for name in fields.names where name != "ids" && name != "have" { throw .invalidField("/\(name.string ?? "")") }
    guard let elements = fields["ids"]?.array, APILimits.resolveIDs.contains(elements.count) else {
      throw .invalidField("/ids")
    }
    var texts: [String] = []
    var seen: Set<String> = []
    for (position, element) in elements.enumerated() {
      guard let text = element.string else { throw .invalidField("/ids/\(position)") }
      if seen.insert(text).inserted { texts.append(text) }
    }
    ids = texts.compactMap { UserID($0) }
    unknown = texts.filter { UserID($0) == nil }
    have = [:]
    guard let given = fields["have"] else { return }
    guard let hashes = given.object else { throw .invalidField("/have") }
    for (name, value) in hashes.members {
      guard let text = name.string, let hash = value.string.flatMap({ RecordHash($0) }) else {
        throw .invalidField("/have/\(name.string ?? "")")
      }
      if seen.contains(text), let user = UserID(text) { have[user] = hash }
    }
  }

  /// The JSON text.
  public var body: [UInt8] {
    let hashes = have.map { (JSONString($0.key.text), JSONValue.text($0.value.hex)) }
    return JSONValue.object([
      "ids": .array(ids.map { .text($0.text) }), "have": .object(JSONObject(hashes)),
    ]).text
  }
}
