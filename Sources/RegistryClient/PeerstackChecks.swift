public import KeyRecords
public import PeerstackFormat

/// An app's peerstack database, as far as the checks look at it.
public protocol PeerstackObjects: Sendable {
  /// The stored object of an id; nil if there is none.
  func object(_ id: JSONString) async -> JSONObject?
}

/// Why an object or a change is not let in.
public struct PeerstackRefusal: Error, Sendable {
  /// The rule.
  public enum Code: String, Sendable, Hashable {
    /// A required field is missing, or not what it must be.
    case field
    /// `modified`, or the time in the id, is in the future.
    case future
    /// A rule about users.
    case user
    /// A rule about groups.
    case group
    /// The object would take the place of a user.
    case takesUsersPlace = "takes-users-place"
    /// A change to what changes may not touch, to an object that is not there, or to another than its subject.
    case change
    /// The signature, by the verdict that is given.
    case signature
  }

  /// The rule.
  public let code: Code
  /// What is wrong, for people.
  public let reason: String
  /// The verdict, where that is what is wrong.
  public let judgment: ObjectJudgment?

  init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
    judgment = nil
  }

  init(_ judgment: ObjectJudgment) {
    code = .signature
    reason = judgment.reason
    self.judgment = judgment
  }
}

/// The checks of peerstack's database that concern users and keys (`verifySigner`, `validateData`, `ingestChange`),
/// with the keys taken from histories and from nowhere else.
///
/// What the library does and this does not:
/// - No object vouches for itself, and no stored object but a user's history makes a signer.
/// - Changes to users are verified like all others, and a user object inside a change like one outside.
/// - Nothing but a user takes a user's place, neither a group nor the object inside a change for something else.
/// - Nothing is remembered of what was refused: there are no caches here at all.
///
/// Who may write in which group stays the app's to check, after this.
public struct PeerstackChecks: Sendable {
  /// How far ahead `modified` and the time in an id may be: peerstack's minute.
  public static let futureTolerance: Milliseconds = 60_000

  static let usersGroup: JSONValue = "users"

  let signers: any SignerResolving
  let objects: any PeerstackObjects
  private let verifier: ObjectVerifier
  private let clock: any ClientClock

  /// Checks against a database, with keys from `signers`.
  public init(
    signers: any SignerResolving, objects: any PeerstackObjects, clock: any ClientClock = SystemClock()
  ) {
    self.signers = signers
    self.objects = objects
    self.clock = clock
    verifier = ObjectVerifier(signers: signers, clock: clock)
  }

  // MARK: verifySigner

  /// Whether the signature is the signer's: the judgment, which is `valid`, or a refusal with it.
  public func verifySigner(
    _ object: JSONObject
  ) async throws(CancellationError) -> Result<ObjectJudgment, PeerstackRefusal> {
    let judgment = try await verifier.verify(UnverifiedObject(JSONValue.object(object).text))
    return judgment.verdict == .valid ? .success(judgment) : .failure(PeerstackRefusal(judgment))
  }

  // MARK: validateData

  /// Whether fields, times and the rules about users allow an object: nil, or what is wrong. Looks at no signature.
  public func validateData(_ object: JSONObject) async throws(CancellationError) -> PeerstackRefusal? {
    for name in ["id", "type", "group", "modified", "signer", "signature"] where !Self.isTruthy(object[name]) {
      return PeerstackRefusal(.field, "\(name) is required")
    }
    guard let id = object["id"]?.jsonString else { return PeerstackRefusal(.field, "id must be a text") }
    return try await refusalOfContents(object, id: id)
  }

  /// Both checks of an object that is to be stored.
  public func save(_ object: JSONObject) async throws(CancellationError) -> Result<ObjectJudgment, PeerstackRefusal> {
    if let refusal = try await validateData(object) { return .failure(refusal) }
    return try await verifySigner(object)
  }

  /// What is wrong with an object, whether it comes alone or inside a change.
  func refusalOfContents(_ object: JSONObject, id: JSONString) async throws(CancellationError) -> PeerstackRefusal? {
    if isFuture(object["modified"]) { return PeerstackRefusal(.future, "modified is in the future") }
    let hasTime = id.utf16.count != UserID.oldCount
    if hasTime, let time = PeerstackID.time(of: id), time > Double(clock.now() + Self.futureTolerance) {
      return PeerstackRefusal(.future, "the time in the id is in the future")
    }
    if object["type"] == "User" { return try await refusalOfUser(object, id: id) }
    if object["group"] == Self.usersGroup {
      return PeerstackRefusal(.group, "only users are in the group of users")
    }
    if object["type"] == "Group", object["group"] != object["id"] {
      return PeerstackRefusal(.group, "a group must be in itself")
    }
    guard try await !isUser(id) else {
      return PeerstackRefusal(.takesUsersPlace, "the id is a user's, and the object is none")
    }
    return nil
  }

  private func refusalOfUser(_ object: JSONObject, id: JSONString) async throws(CancellationError) -> PeerstackRefusal?
  {
    guard object["group"] == Self.usersGroup else {
      return PeerstackRefusal(.user, "a user must be in the group users")
    }
    guard let user = id.string.flatMap({ UserID($0) }) else {
      return PeerstackRefusal(.user, "the id of a user must be a user id")
    }
    if let signer = object["signer"], signer != .string(id) {
      return PeerstackRefusal(.user, "the signer of a user must be that same user")
    }
    guard object["publicKey"] != nil, object["publicBoxKey"] != nil else {
      return PeerstackRefusal(.user, "a user must have publicKey and publicBoxKey")
    }
    return try await refusalOfKeys(object, of: user)
  }

  /// The keys that an object names must be keys of the user's history.
  func refusalOfKeys(_ object: JSONObject, of user: UserID) async throws(CancellationError) -> PeerstackRefusal? {
    let named = ReadObject.NamedKeys(object)
    switch try await signers.resolve([user], .whenNotFresh)[user] ?? .unknown {
    case .user(let known):
      return named.contradiction(with: known.state).map { PeerstackRefusal(.user, $0) }
    case .unknown: return PeerstackRefusal(.user, "the user is unknown: nobody has claimed the id")
    case .unavailable(let reason): return PeerstackRefusal(.user, "the user cannot be looked up now: \(reason)")
    case .expired:
      return PeerstackRefusal(.user, "what is known of the user is too old, and it cannot be looked up now")
    case .conflict(let conflict): return PeerstackRefusal(.user, "the user is in conflict: \(conflict.reason)")
    }
  }

  /// Whether an id is a user's, by what is stored and what is known: asking a registrar for the ids of all objects
  /// would tell it what the app stores.
  func isUser(_ id: JSONString) async throws(CancellationError) -> Bool {
    if let stored = await objects.object(id) {
      if stored["type"] == "User" || stored["group"] == Self.usersGroup { return true }
    }
    guard let user = id.string.flatMap({ UserID($0) }) else { return false }
    switch try await signers.resolve([user], .known)[user] {
    case .user, .conflict, .expired: return true
    case .unknown, .unavailable, nil: return false
    }
  }

  /// Only numbers have a place in time.
  func isFuture(_ value: JSONValue?) -> Bool {
    guard let number = value?.number else { return false }
    return number > Double(clock.now() + Self.futureTolerance)
  }

  /// What JavaScript takes for true.
  static func isTruthy(_ value: JSONValue?) -> Bool {
    switch value {
    case nil, .null, .bool(false): false
    case .number(let number): number != 0 && !number.isNaN
    case .string(let string): string != ""
    case .bool, .array, .object: true
    }
  }
}
