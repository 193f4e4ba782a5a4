import HTTPFormat
import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

extension RegistryHandler {
  private func user(_ text: String, in app: RegistryApp) async throws -> UserSnapshot {
    guard let id = UserID(text) else { throw Problem(.unknownUser) }
    // Apart: an await within the guard has crashed the optimiser (Swift 6.3.1, "splitting coroutine").
    let user = try await app.user(id)
    guard let user else { throw Problem(.unknownUser) }
    return user
  }

  /// `GET …/keys/{user}`: the head while the user is active, or with `keyId` the record at that position.
  func key(of text: String, in app: RegistryApp, for head: RequestHead) async throws -> HTTPResponse {
    let user = try await user(text, in: app)
    if head.queryBytes != nil, let sequence = try Parameters(head).integer("keyId") {
      return Self.answer(try user.record(atSequence: sequence).get(), for: head)
    }
    switch user.key {
    case .record(let entry): return Self.answer(entry, for: head)
    case .refused(let refusal): throw refusal
    }
  }

  /// `GET …/keys/{user}/{sequence}`.
  func key(
    of text: String, at sequence: String, in app: RegistryApp, for head: RequestHead
  ) async throws -> HTTPResponse {
    let user = try await user(text, in: app)
    guard let number = PlainDecimal.value(of: sequence) else { throw Problem(.unknownRecord) }
    return Self.answer(try user.record(atSequence: number).get(), for: head)
  }

  private static func answer(_ entry: StoredEntry, for head: RequestHead) -> HTTPResponse {
    .conditional(
      head, tag: EntityTags.tag(of: entry.hash.bytes32), fields: AnswerFields.keyJSON, body: entry.record)
  }

  /// `GET …/users/{user}`.
  func state(of text: String, in app: RegistryApp, for head: RequestHead) async throws -> HTTPResponse {
    let parameters = try Parameters(head)
    let time = try parameters.integer("at")
    let index = try parameters.integer("index")
    let user = try await user(text, in: app)
    let state: UserState?
    switch (time, index) {
    case (nil, nil):
      return .conditional(head, tag: Array(user.stateTag.utf8), fields: AnswerFields.json, body: user.stateText)
    case (let time?, nil): state = user.state(at: time)
    case (nil, let index?): state = user.state(throughIndex: index)
    case (.some, .some): throw Problem.invalidParameter("index")
    }
    guard let state else { throw Problem(.unknownUser, detail: "nobody had claimed this id by then") }
    return .hashed(head, body: state.json.text)
  }

  /// `GET …/users/{user}/history`.
  func history(of text: String, in app: RegistryApp, for head: RequestHead) async throws -> HTTPResponse {
    let after = try Parameters(head).integer("after")
    let user = try await user(text, in: app)
    return .hashed(head, body: EntryList.text(user.entries(after: after)))
  }
}

/// Entries as one JSON text.
enum EntryList {
  /// `{"entries":[…]}`.
  static func text(_ entries: some Collection<StoredEntry>) -> [UInt8] {
    var text = Array("{\"entries\":".utf8)
    append(entries, to: &text)
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// Appends the entries in brackets.
  static func append(_ entries: some Collection<StoredEntry>, to text: inout [UInt8]) {
    text.append(UInt8(ascii: "["))
    var isFirst = true
    for entry in entries {
      if !isFirst { text.append(UInt8(ascii: ",")) }
      isFirst = false
      text += entry.text
    }
    text.append(UInt8(ascii: "]"))
  }
}
