import Cryptography
import HTTPFormat
import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

extension RegistryHandler {
  /// `GET …/export`. The page is a part of a list that only grows, so its last line stands for all of it.
  func export(_ app: RegistryApp, for head: RequestHead) async throws -> HTTPResponse {
    let parameters = try Parameters(head)
    let after = try parameters.integer("after")
    let limits = APILimits.exportEntries
    let limit = try parameters.integer("limit", in: Int64(limits.lowerBound)...Int64(limits.upperBound))
    let page = try await app.export(after: after, limit: Int(limit ?? Int64(limits.upperBound)))
    // Entries before it are the same whenever it is: after a restore from a backup later ones get later times. A hash of
    // the whole page would hold the loop for many milliseconds.
    let last = page.dropLast().lastIndex(of: UInt8(ascii: "\n")).map { page[($0 + 1)...] } ?? page[...]
    let hash = SHA256.hash(Array("\(after ?? -1) \(page.count)\n".utf8) + last)
    return .conditional(head, tag: EntityTags.tag(of: hash), fields: AnswerFields.jsonLines, body: page)
  }

  /// `GET /apps/{app}`.
  func appAnswer(_ app: RegistryApp, for head: RequestHead) throws -> HTTPResponse {
    .hashed(head, body: try app.snapshot().text)
  }

  /// `GET …/policies`.
  func policies(of app: RegistryApp, for head: RequestHead) throws -> HTTPResponse {
    .hashed(head, body: EntryList.text(try app.snapshot().policyEntries))
  }

  /// peerstack's `IPeerHost`. Nothing in it changes but with the app's policies and the public URL.
  func peerHostInfo(_ app: RegistryApp, for head: RequestHead) throws -> HTTPResponse {
    let modified = try app.snapshot().policyEntries.last?.accepted ?? 0
    let registry: JSONValue = [
      "type": "KeyRegistry", "id": .text("\(app.id):key-registry"), "group": .text(app.id.text),
      "modified": .integer(modified),
      "url": .text("\(location.publicURL)/apps/\(app.id)/keys/{ownerId}/{?keyId}"), "trustOrder": 1,
    ]
    let host: JSONValue = [
      "type": "PeerHost", "id": .text("\(app.id):peer-host"), "group": .text(app.id.text),
      "modified": .integer(modified), "desc": .text("key registrar of \(app.id)"), "registry": registry,
    ]
    return .hashed(head, body: host.text)
  }
}
