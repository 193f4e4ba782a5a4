import KeyRecords
public import PeerstackFormat

/// A change to an object, as peerstack's sync carries it.
private struct DataChange {
  /// One path, and the value it gets; nil removes it.
  struct Step {
    let path: String
    let value: JSONValue?

    /// The field of the top level that it is, or is inside of; empty for the whole object.
    var field: Substring { path.prefix { $0 != "." && $0 != "[" } }
  }

  let subject: JSONString
  let signer: JSONString
  let group: JSONValue
  let steps: [Step]

  /// The whole object, where the change creates or replaces it.
  var created: JSONValue? { steps.first { $0.path.isEmpty }?.value }

  init(_ object: JSONObject) throws(PeerstackRefusal) {
    for name in ["id", "group", "subject", "signer", "signature"] where !PeerstackChecks.isTruthy(object[name]) {
      throw PeerstackRefusal(.field, "\(name) is required")
    }
    guard object["modified"]?.number != nil else { throw PeerstackRefusal(.field, "modified must be a number") }
    guard let subject = object["subject"]?.jsonString, let signer = object["signer"]?.jsonString,
      let group = object["group"], let changes = object["changes"]?.array
    else { throw PeerstackRefusal(.field, "subject and signer must be texts, and changes a list") }
    var steps: [Step] = []
    for change in changes {
      guard let parts = change.array, (1...2).contains(parts.count), let path = parts[0].string else {
        throw PeerstackRefusal(.change, "each change must be a path, or a path and a value")
      }
      let step = Step(path: path, value: parts.count == 2 ? parts[1] : nil)
      // `["id"]` is another spelling of `id`: no path may begin with a bracket, or it could be any field.
      guard path.isEmpty || !step.field.isEmpty else {
        throw PeerstackRefusal(.change, "each path must begin with the name of a field")
      }
      steps.append(step)
    }
    let whole = steps.filter(\.path.isEmpty)
    guard whole.isEmpty || (steps.count == 1 && whole[0].value != nil) else {
      throw PeerstackRefusal(.change, "the whole object must be the only thing that a change sets")
    }
    self.subject = subject
    self.signer = signer
    self.group = group
    self.steps = steps
  }
}

extension PeerstackChecks {
  /// Whether a change may be applied: the judgment of its signature, which is `valid`, or what is wrong.
  ///
  /// The signature is always verified, first of all and as the change came: nothing is altered before it is looked at.
  public func ingestChange(
    _ object: JSONObject
  ) async throws(CancellationError) -> Result<ObjectJudgment, PeerstackRefusal> {
    let change: DataChange
    do throws(PeerstackRefusal) {
      change = try DataChange(object)
    } catch {
      return .failure(error)
    }
    if isFuture(object["modified"]) { return .failure(PeerstackRefusal(.future, "modified is in the future")) }
    let verified = try await verifySigner(object)
    guard case .success = verified else { return verified }
    if let refusal = try await refusal(of: change) { return .failure(refusal) }
    return verified
  }

  private func refusal(of change: DataChange) async throws(CancellationError) -> PeerstackRefusal? {
    for step in change.steps {
      for field in ["id", "group", "modified"] where step.field == field {
        return PeerstackRefusal(.change, "\(field) cannot be changed")
      }
    }
    let stored = await objects.object(change.subject)
    if let group = stored?["group"], group != change.group {
      return PeerstackRefusal(.change, "the change is in another group than its subject")
    }
    if let created = change.created {
      if let refusal = try await refusal(ofCreated: created, by: change) { return refusal }
    } else if stored == nil {
      return PeerstackRefusal(.change, "there is nothing that the change could be to")
    }
    guard try await isAboutUser(change) else {
      let isUser = change.steps.contains { $0.field == "type" && $0.value == "User" }
      return isUser ? PeerstackRefusal(.user, "nothing becomes a user by a change of type") : nil
    }
    return try await refusal(ofUserChange: change)
  }

  private func isAboutUser(_ change: DataChange) async throws(CancellationError) -> Bool {
    if change.group == Self.usersGroup || change.created?.object?["type"] == "User" { return true }
    return try await isUser(change.subject)
  }

  /// The object inside must be the subject, and pass what an object outside must.
  private func refusal(
    ofCreated value: JSONValue, by change: DataChange
  ) async throws(CancellationError) -> PeerstackRefusal? {
    guard let object = value.object, object["id"] == .string(change.subject) else {
      return PeerstackRefusal(.change, "the object inside is not the subject of the change")
    }
    guard object["group"] == change.group else {
      return PeerstackRefusal(.change, "the object inside is in another group than the change")
    }
    guard Self.isTruthy(object["type"]) else { return PeerstackRefusal(.field, "type is required") }
    if let refusal = try await refusalOfContents(object, id: change.subject) { return refusal }
    guard Self.isTruthy(object["signature"]) else { return nil }
    if case .failure(let refusal) = try await verifySigner(object) { return refusal }
    return nil
  }

  private func refusal(ofUserChange change: DataChange) async throws(CancellationError) -> PeerstackRefusal? {
    guard change.signer == change.subject, let user = change.subject.string.flatMap({ UserID($0) }) else {
      return PeerstackRefusal(.user, "changes to a user must be signed by that same user")
    }
    for step in change.steps where !step.path.isEmpty {
      if step.field == "type" { return PeerstackRefusal(.user, "the type of a user cannot be changed") }
      if step.field == "signer", step.value != .string(change.subject) {
        return PeerstackRefusal(.user, "the signer of a user must be that same user")
      }
      for field in ["publicKey", "publicBoxKey"] where step.field == field {
        guard step.path == field, let value = step.value else {
          return PeerstackRefusal(.user, "\(field) can be replaced only as a whole")
        }
        let named: JSONObject = ["id": .string(change.subject)]
        if let refusal = try await refusalOfKeys(named.setting(JSONString(field), to: value), of: user) {
          return refusal
        }
      }
    }
    return nil
  }
}
