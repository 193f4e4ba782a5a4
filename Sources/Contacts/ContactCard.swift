import Cryptography
public import KeyRecords
public import PeerstackFormat
public import RegistryClient

/// What one person hands to another so that they know each other's keys without any registrar: the history of the keys,
/// a name, and a signature by the key in force (docs/contact-card-format.md).
///
/// Every card was verified when it was read or made. It shows who signed, not that nothing came later: what it is worth
/// is for the person to say who compares the safety number.
public struct ContactCard: Sendable {
  /// Bytes of a text in which a card is looked for.
  public static let maxTextBytes = 256 << 10
  /// Bytes of a card, packed.
  public static let maxBytes = 64 << 10
  /// Entries of a user.
  public static let maxEntries = 128
  /// Policies of the app.
  public static let maxPolicies = 32
  /// Characters of the one-line form that the largest QR code holds (version 40, the least correction).
  public static let maxQRCharacters = 4_296

  static let type = "ContactCard"
  static let version: Int64 = 1
  /// The app.
  public let app: AppID
  /// Whose card it is.
  public let user: UserID
  /// What they call themselves.
  public let name: ContactName
  /// When it was made, as its maker says.
  public let made: Milliseconds
  /// The history as it was judged.
  public let handed: HandedHistory
  /// The identity that a safety number is made of.
  public let identity: SafetyIdentity
  /// Version, packed card and checksum.
  let bytes: [UInt8]

  /// Reads the first whole card in a text. Mail around it, quotation marks and other line ends do no harm.
  ///
  /// - Parameters:
  ///   - known: What is known of the app's policies. By default those of the card will do: then a person must confirm
  ///     what comes of it.
  ///   - clock: This machine's.
  public static func read(
    _ text: [UInt8], app: AppID, under known: KnownPolicies = KnownPolicies(takesSenders: true), clock: Milliseconds
  ) throws(CardFault) -> ContactCard {
    let packed = try CardText.packed(in: text)
    guard let object = PackedJSON.unpack(packed)?.object else { throw .malformed("its text") }
    return try ContactCard(object, packed: packed, app: app, under: known, clock: clock)
  }

  private init(
    _ object: JSONObject, packed: [UInt8], app: AppID, under known: KnownPolicies, clock: Milliseconds
  ) throws(CardFault) {
    let fields = try CardFields(object)
    guard fields.app == app else { throw .otherApp(fields.app) }
    do throws(ContactName.Fault) { name = try ContactName(fields.name) } catch { throw .name(error) }
    guard fields.modified <= clock + Limits.clockSkew else { throw .fromTheFuture(fields.modified) }
    guard let history = PeerHistory(entries: fields.entries, policies: fields.policies.isEmpty ? nil : fields.policies)
    else { throw .malformed("entries") }
    guard history.user == fields.signer else { throw .otherUser(named: fields.signer, records: history.user) }
    let handed = try Self.judge(history, app: app, under: known, clock: clock)
    guard handed.leftOut == 0 else { throw .delayedRecord(history.user) }
    let state = handed.judged.state
    do throws(SafetyFault) { identity = try SafetyIdentity(state) } catch { throw .noKeyInForce(error) }
    guard fields.isSigned(by: identity.publicKey) else {
      let isFormer = state.keys.contains { $0.fate != .void && fields.isSigned(by: $0.publicKey) }
      throw isFormer ? .formerKey(history.user) : .wrongSignature(history.user)
    }
    self.app = app
    user = history.user
    made = fields.modified
    self.handed = handed
    bytes = CardText.bytes(of: packed)
  }

  private static func judge(
    _ history: PeerHistory, app: AppID, under known: KnownPolicies, clock: Milliseconds
  ) throws(CardFault) -> HandedHistory {
    do throws(Conflict) {
      if let handed = try history.judged(app: app, under: known, clock: clock) { return handed }
    } catch {
      throw .history(error)
    }
    throw .noPolicies
  }

  /// The card as lines that survive mail.
  public var text: String { CardText.armoured(bytes) }

  /// The card as one line, for a QR code.
  public var line: String { CardText.line(bytes) }

  /// What to draw as a QR code; nil if the history is too long for one.
  public var qrText: String? {
    let line = line
    return line.utf8.count <= Self.maxQRCharacters ? line : nil
  }

  /// The history and what it comes to; never confirmed.
  public var judged: JudgedHistory { handed.judged }

  /// Whether the policies it was judged under are known from elsewhere than the card.
  public var arePoliciesKnown: Bool { handed.arePoliciesKnown }

  /// Whether the id proves its own first record.
  public var isBound: Bool { judged.isBound }
}

extension ContactCard {
  /// Makes one's own card.
  ///
  /// - Parameters:
  ///   - judged: One's own history.
  ///   - policies: The app's policies, so that somebody who knows none can judge the card.
  ///   - now: The time of day.
  ///   - sign: Adds `signer` and `signature`, by the key in force.
  /// - Throws: a ``CardFault`` that the other side would meet, or what `sign` throws.
  public static func make(
    name: ContactName, judged: JudgedHistory, policies: AppHistory, now: Milliseconds,
    sign: (JSONObject) throws -> JSONObject
  ) throws -> ContactCard {
    let entries = judged.history.entries
    guard entries.count <= maxEntries else { throw CardFault.historyTooLong(entries: entries.count) }
    let unsigned: JSONObject = [
      "type": .text(type), "version": .integer(version), "app": .text(judged.history.app.text),
      "name": .text(name.text), "modified": .integer(now), "entries": try values(of: entries),
      // Who has a registrar knows the policies anyway.
      "policies": try values(of: policies.entries.count <= maxPolicies ? policies.entries : []),
    ]
    guard let packed = PackedJSON.pack(.object(try sign(unsigned))) else { throw CardFault.malformed("its text") }
    let bytes = CardText.bytes(of: packed)
    guard bytes.count <= maxBytes else { throw CardFault.historyTooLong(entries: entries.count) }
    let known = KnownPolicies(chain: policies)
    return try read(Array(CardText.line(bytes).utf8), app: judged.history.app, under: known, clock: now)
  }

  private static func values(of entries: [Entry]) throws -> JSONValue {
    .array(try entries.map { try JSONValue.parseStrict($0.text, maxDepth: PackedJSON.maxDepth) })
  }
}

/// The fields of a card, read strictly.
private struct CardFields {
  let app: AppID
  let name: String
  let modified: Milliseconds
  let entries: [JSONValue]
  let policies: [JSONValue]
  let signer: UserID
  private let signature: Signature
  private let hash: Bytes32

  init(_ object: JSONObject) throws(CardFault) {
    let names = [
      "app", "entries", "modified", "name", "policies", "signature", "signer", "type", "version",
    ]
    guard Set(object.names.compactMap(\.string)) == Set(names) else { throw .malformed("its fields") }
    func field<T>(_ name: String, _ read: (JSONValue) -> T?) throws(CardFault) -> T {
      guard let value = object[name].flatMap(read) else { throw .malformed(name) }
      return value
    }
    guard object["type"]?.string == ContactCard.type else { throw .malformed("type") }
    guard object["version"]?.integer == ContactCard.version else { throw .malformed("version") }
    app = try field("app") { $0.string.flatMap { AppID($0) } }
    name = try field("name") { $0.string }
    modified = try field("modified") { $0.integer.flatMap { $0 >= 0 ? $0 : nil } }
    entries = try field("entries") { $0.array.flatMap { (1...ContactCard.maxEntries).contains($0.count) ? $0 : nil } }
    policies = try field("policies") { $0.array.flatMap { $0.count <= ContactCard.maxPolicies ? $0 : nil } }
    signer = try field("signer") { $0.string.flatMap { UserID($0) } }
    signature = try field("signature") {
      $0.string.flatMap { Base64.decodeCanonical($0) }.flatMap { Signature($0) }.flatMap {
        $0.hasCanonicalForm ? $0 : nil
      }
    }
    guard let hash = ObjectHash.hash(of: .object(object)) else { throw .malformed("its text") }
    self.hash = hash
  }

  func isSigned(by key: VerifyingKey) -> Bool {
    key.isValidSignature(signature, for: Array(hash.hex.utf8))
  }
}
