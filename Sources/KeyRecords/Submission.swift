public import PeerstackFormat

/// The types of registrar objects (protocol §3, §6, §7, §8). General signing calls refuse all of them.
public enum ObjectType: String, Sendable, Hashable, CaseIterable {
  /// A key record.
  case keyRecord = "PublicKey"
  /// An app's policy.
  case policy = "AppPolicy"
  /// The admins' answer to rival claims.
  case adjudication = "Adjudication"
  /// An admin's leave to claim.
  case invitation = "Invitation"
  /// A member's request to read.
  case request = "Request"
}

/// What goes into a history: a record, a policy or an adjudication, whose form and signatures have been verified
/// (protocol §5.1).
public enum Submission: Sendable {
  /// A key record.
  case record(KeyRecord)
  /// An app's policy.
  indirect case policy(AppPolicy)
  /// The admins' answer to rival claims.
  indirect case adjudication(Adjudication)

  /// Reads and verifies one object of an app from its text.
  public static func verify(_ text: [UInt8], app: AppID) -> Result<Submission, Refusal> {
    guard let json = try? StrictJSON(text) else { return .failure(Refusal(.malformed)) }
    return verify(json, app: app)
  }

  /// Reads and verifies one object of an app that ``JSONValue/parseStrict(_:maxDepth:)`` has read.
  public static func verify(_ value: JSONValue, app: AppID) -> Result<Submission, Refusal> {
    verify(StrictJSON(value), app: app)
  }

  /// Reads and verifies one object of an app.
  public static func verify(_ json: StrictJSON, app: AppID) -> Result<Submission, Refusal> {
    Result { () throws(Refusal) in try read(json, app: app, verifyingSignatures: true) }
  }

  /// Reads the canonical bytes of an object that was verified before it was stored. Only for who stored it: nothing but
  /// the form is checked again.
  package static func reopen(_ canonical: [UInt8], app: AppID) -> Result<Submission, Refusal> {
    guard let value = try? JSONValue.parseStrict(canonical) else { return .failure(Refusal(.malformed)) }
    let json = StrictJSON(value, canonical: canonical)
    return Result { () throws(Refusal) in try read(json, app: app, verifyingSignatures: false) }
  }

  private static func read(
    _ json: StrictJSON, app: AppID, verifyingSignatures: Bool
  ) throws(Refusal) -> Submission {
    guard json.canonical.count <= Limits.recordBytes else {
      throw Refusal(.tooLarge, ["limit": .integer(Int64(Limits.recordBytes))])
    }
    let fields = try FieldReader(json.value)
    switch fields.object["type"]?.string.flatMap(ObjectType.init(rawValue:)) {
    case .keyRecord:
      return .record(try KeyRecord(json, of: app, verifyingSignatures: verifyingSignatures))
    case .policy:
      return .policy(try AppPolicy(json, of: app, verifyingSignatures: verifyingSignatures))
    case .adjudication:
      return .adjudication(try Adjudication(json, of: app, verifyingSignatures: verifyingSignatures))
    case .invitation, .request, nil: throw fields.fail("type")
    }
  }

  /// The app.
  public var app: AppID {
    switch self {
    case .record(let record): record.app
    case .policy(let policy): policy.app
    case .adjudication(let adjudication): adjudication.app
    }
  }

  /// The user it is about; nil for a policy.
  public var subject: UserID? {
    switch self {
    case .record(let record): record.subject
    case .policy: nil
    case .adjudication(let adjudication): adjudication.subject
    }
  }

  /// The canonical JSON, `signature` included.
  public var canonical: [UInt8] {
    switch self {
    case .record(let record): record.canonical
    case .policy(let policy): policy.canonical
    case .adjudication(let adjudication): adjudication.canonical
    }
  }

  /// The record hash.
  public var hash: RecordHash {
    switch self {
    case .record(let record): record.hash
    case .policy(let policy): policy.hash
    case .adjudication(let adjudication): adjudication.hash
    }
  }

  /// When it was signed, as the signer says.
  public var modified: Milliseconds {
    switch self {
    case .record(let record): record.modified
    case .policy(let policy): policy.modified
    case .adjudication(let adjudication): adjudication.modified
    }
  }

  /// The record, if it is one.
  public var record: KeyRecord? {
    if case .record(let record) = self { record } else { nil }
  }
}
