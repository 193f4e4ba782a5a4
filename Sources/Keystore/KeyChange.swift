public import Cryptography
public import KeyRecords
import PeerstackFormat

/// A change of keys that is under way: written to disk before anything of it is sent.
///
/// It goes through up to four steps: begun (its key is stored), ``record`` attached (may have been sent), accepted by
/// the registrar but delayed (``effective``), and then it is completed or abandoned. After a crash the record that is
/// stored here can be sent again as it is: a registrar answers what it accepted before as the first time.
public struct KeyChange: Hashable, Sendable {
  private static let names: Set<String> = [
    "number", "app", "action", "publicKey", "begun", "draft", "record", "effective",
  ]

  /// Names the change within its keystore; never used twice.
  public let number: Int64
  /// The app id.
  public let app: AppID
  /// What is changed.
  public let action: KeyRecord.Action
  /// The key that comes into force; nil where the action brings none.
  public let publicKey: VerifyingKey?
  /// When it was begun, in milliseconds since 1970.
  public let begun: Int64
  /// The unsigned record, while approvals of others are collected; nil before and after. At most
  /// ``KeystoreLimits/recordBytes``.
  public internal(set) var draft: String?
  /// The signed record, exactly as it is sent; nil until it is built. At most ``KeystoreLimits/recordBytes``.
  public internal(set) var record: String?
  /// When the accepted record takes effect, in milliseconds since 1970; nil while it is not accepted.
  public internal(set) var effective: Int64?

  /// Where the key of a change comes from.
  public enum KeySource: Hashable, Sendable {
    /// A new key is generated.
    case generated
    /// A key of the keystore, such as that of the original claim.
    case held(VerifyingKey)
  }

  init(number: Int64, app: AppID, action: KeyRecord.Action, publicKey: VerifyingKey?, begun: Int64) {
    self.number = number
    self.app = app
    self.action = action
    self.publicKey = publicKey
    self.begun = begun
  }

  init(_ value: JSONValue, at pointer: String) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    number = try fields.integer("number")
    app = try fields.app("app")
    guard let action = KeyRecord.Action(rawValue: try fields.text("action")) else {
      throw .invalidField(pointer: fields.pointer("action"))
    }
    self.action = action
    publicKey = try fields.optionalKey("publicKey")
    guard (publicKey != nil) == action.bringsKey else { throw .invalidField(pointer: fields.pointer("publicKey")) }
    begun = try fields.integer("begun")
    draft = try fields.optionalText("draft")
    record = try fields.optionalText("record")
    effective = try fields.value("effective").isNull ? nil : try fields.integer("effective")
  }

  var value: JSONValue {
    .object([
      "number": .integer(number), "app": .text(app.text), "action": .text(action.rawValue),
      "publicKey": publicKey.map { .key($0) } ?? .null, "begun": .integer(begun),
      "draft": draft.map { .text($0) } ?? .null, "record": record.map { .text($0) } ?? .null,
      "effective": effective.map { .integer($0) } ?? .null,
    ])
  }
}
