import Cryptography
import HTTPFormat
import KeyRecords
import Registry
import RegistryAPI
import WebTransport

/// Answers what memory has of keys and of whole sets of users, on one loop: these are what users wait for, and neither a
/// task nor a text is made for them. Everything else, every problem among it, is the ``RegistryHandler``'s.
final class RememberedAnswers: ImmediateHandler {
  private struct KnownApp {
    /// The id as it stands in a path.
    let name: [UInt8]
    let app: RegistryApp
  }

  private let registry: Registry
  private let tally: AnswerTally
  /// Apps that were asked for, the last one in front.
  private var apps: [KnownApp] = []
  /// Whose keys the requests ask for that have come together.
  private var expected = ExpectedUsers()

  /// Apps that are found without a text.
  private static let mostApps = 16

  /// Answers what cannot be read.
  let handler: RegistryHandler
  let keys: KeyAnswers
  private let resolution = ResponseTemplate(status: 200, fields: AnswerFields.freshJSON)

  init(_ handler: RegistryHandler, _ tally: AnswerTally) {
    registry = handler.registry
    self.handler = handler
    self.tally = tally
    keys = KeyAnswers(tally)
  }

  func answer(_ head: borrowing RequestHead, body: [UInt8], to output: inout ResponseOutput) -> Int? {
    guard !head.hasQuery else { return nil }
    switch head.method {
    case .get, .head: return key(head, to: &output)
    case .post: return resolve(head, body, to: &output)
    default: return nil
    }
  }

  func prepare(_ head: borrowing RequestHead) {
    guard head.method == .get, let (app, id) = head.withPath({ keyPath($0) }) else { return }
    app.expect(id, among: &expected)
  }

  func prepared() {
    registry.prefetch(expected)
    expected.removeAll()
  }

  /// `GET …/keys/{user}`.
  private func key(_ head: borrowing RequestHead, to output: inout ResponseOutput) -> Int? {
    let start = AnswerTally.now
    guard let (app, id) = head.withPath({ keyPath($0) }), !app.isForMembers else { return nil }
    let status = app.withRememberedKey(id) { hash, record in keys.append(hash, record, to: head, &output) }
    if let status { tally.note(status == 304 ? .sameKey : .key, since: start) }
    return status
  }

  /// `POST …/resolve` in its usual form.
  private func resolve(
    _ head: borrowing RequestHead, _ body: [UInt8], to output: inout ResponseOutput
  ) -> Int? {
    let start = AnswerTally.now
    guard let app = head.withPath({ resolvePath($0) }), app.remembersUsers, !app.isForMembers,
      JSONContent.problem(of: head) == nil,
      let ids = ResolveRequest.plainIDs(body), let users = app.remembered(ids),
      let resolution = RememberedResolution(ids, users)
    else { return nil }
    output.append(self.resolution, bodyCount: resolution.count) { resolution.append(to: &$0) }
    tally.note(.resolve, since: start)
    return 200
  }

  // MARK: Paths

  private static let appsPrefix: StaticString = "/apps/"
  private static let keysPart: StaticString = "keys/"

  /// App and user of `/apps/{app}/keys/{user}`, with or without a slash at the end.
  func keyPath(_ path: Span<UInt8>) -> (RegistryApp, UserID)? {
    guard let (app, start) = app(path), path.hasText(Self.keysPart, at: start) else { return nil }
    let user = path.extracting((start + Self.keysPart.utf8CodeUnitCount)...)
    let isClosed = !user.isEmpty && user[user.count - 1] == UInt8(ascii: "/")
    return UserID(isClosed ? user.extracting(droppingLast: 1) : user).map { (app, $0) }
  }

  private func resolvePath(_ path: Span<UInt8>) -> RegistryApp? {
    guard let (app, start) = app(path), path.extracting(start...).isText("resolve") else { return nil }
    return app
  }

  /// The app of `/apps/{app}/…`, and where the rest begins.
  private func app(_ path: Span<UInt8>) -> (RegistryApp, Int)? {
    let start = Self.appsPrefix.utf8CodeUnitCount
    guard path.hasText(Self.appsPrefix, at: 0) else { return nil }
    var end = start
    while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
    guard end < path.count else { return nil }
    return app(named: path.extracting(start..<end)).map { ($0, end + 1) }
  }

  private func app(named name: Span<UInt8>) -> RegistryApp? {
    for index in apps.indices {
      let known = apps[index]
      guard name.isSame(as: known.name.span) else { continue }
      if index > 0 { apps.swapAt(0, index) }
      return known.app
    }
    let bytes = name.withUnsafeBufferPointer { [UInt8]($0) }
    guard let id = AppID(String(decoding: bytes, as: UTF8.self)), let app = registry.remembered(id) else { return nil }
    if apps.count == Self.mostApps { apps.removeLast() }
    apps.insert(KnownApp(name: bytes, app: app), at: 0)
    return app
  }
}

extension Span<UInt8> {
  fileprivate func hasText(_ text: StaticString, at start: Int) -> Bool {
    guard count - start >= text.utf8CodeUnitCount else { return false }
    return extracting(start..<(start + text.utf8CodeUnitCount)).isText(text)
  }

  fileprivate func isText(_ text: StaticString) -> Bool {
    isSame(as: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).span)
  }

  fileprivate func isSame(as other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }
}
