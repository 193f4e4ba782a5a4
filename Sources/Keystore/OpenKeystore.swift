public import Cryptography
public import KeyRecords
public import PeerstackFormat

/// An unlocked keystore: what is in it is what its owner wrote.
///
/// A value: it does not change, and signs and opens boxes for as long as somebody holds it. Changes are made through a
/// ``KeystoreSession``, which writes them to disk first. Holding one means holding the secrets in memory.
public struct OpenKeystore: Sendable {
  private(set) var header: Header
  var contents: Contents
  private(set) var dataKey: SecretBytes
  /// The name of the slot that was opened, or made first.
  public private(set) var openedSlot: String

  init(header: Header, contents: Contents, dataKey: SecretBytes, openedSlot: String) {
    self.header = header
    self.contents = contents
    self.dataKey = dataKey
    self.openedSlot = openedSlot
  }

  /// The user id.
  public var id: UserID { header.id }
  /// How often the keystore was written.
  public var revision: Int64 { header.revision }
  /// How the identity stands in each of its apps.
  public var apps: [AppState] { contents.apps }
  /// All keys, oldest first: those in force, former ones, and those that a change brought here and that never came
  /// into force.
  public var keys: [HeldKey] { contents.keys }
  /// The changes under way, oldest first.
  public var changes: [KeyChange] { contents.changes }
  /// What the id's first claim was made of, if it was noted.
  public var originalClaim: OriginalClaim? { contents.claim }
  /// What a bound id proves itself by, in every app (protocol §2.3); nil for an id of the old kind, which proves nothing.
  public var originalCommitment: BoundID.Commitment? {
    guard let claim = contents.claim, let created = id.created else { return nil }
    return BoundID.Commitment(
      created: created, authority: claim.authority, publicKey: claim.publicKey, publicBoxKey: claim.publicBoxKey)
  }
  /// The public halves of the paper keys.
  public var paperKeys: [VerifyingKey] { header.paperKeys }
  /// The ways to open it.
  public var slots: [SealedKeystore.SlotDescription] {
    header.slots.map { .init(name: $0.name, kind: $0.kind, parameters: $0.hash.parameters) }
  }

  /// How the identity stands in `app`; nil if it is not there.
  public func state(in app: AppID) -> AppState? {
    contents.apps.first { $0.app == app }
  }

  /// The change of this number, if it is under way.
  public func change(_ number: Int64) -> KeyChange? {
    contents.changes.first { $0.number == number }
  }

  /// Hashes of the records that this keystore signed and stored, or that its owner acknowledged, oldest first; at most
  /// ``KeystoreLimits/ownRecords``, of which the oldest were forgotten.
  public var records: [RecordHash] { contents.records }

  /// Whether an entry about this id is this keystore's own doing: its record was made here or acknowledged by the owner
  /// (``KeystoreSession/acknowledge(_:in:)``), or it was there before the keystore began to keep the hashes of its
  /// records. Another copy of the keystore, in whosever hands, counts as somebody else.
  ///
  /// - Parameters:
  ///   - record: The record's hash.
  ///   - index: The entry's index at the registrar.
  public func accountsFor(_ record: RecordHash, at index: Int64, in app: AppID) -> Bool {
    if contents.records.contains(record) { return true }
    guard let state = state(in: app), let last = state.recordsAfter ?? state.mark?.lastIndex else { return false }
    return index <= last
  }

  /// Every held key as a box key, newest first.
  public var boxKeys: [BoxKey] {
    contents.keys.reversed().compactMap { contents.signingKey(for: $0.publicKey)?.boxKey }
  }

  /// What is in a box, with whichever held key opens it, newest first: boxes outlive the keys they were made for.
  /// `sender` is the sender's public box key.
  public func open(_ box: PeerstackBox, from sender: JSONString) throws(PeerstackBox.Failure) -> PeerstackWire.Reading {
    for key in contents.keys.reversed() {
      guard let boxKey = contents.signingKey(for: key.publicKey)?.boxKey else { continue }
      do {
        return try box.open(from: sender, with: boxKey)
      } catch .notVerified {
        continue
      }
    }
    throw .notVerified
  }

  /// Seals it again as it is, as the next revision.
  mutating func seal() throws(KeystoreError) -> SealedKeystore {
    header.revision += 1
    return try SealedKeystore(header, contents: contents.plaintext, dataKey: dataKey)
  }
}

extension OpenKeystore: CustomStringConvertible, CustomReflectable {
  /// The id only.
  public var description: String { "OpenKeystore(\(id), redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

// Changes of the value. They are internal: outside, only what was written to disk can be seen.
extension OpenKeystore {
  /// A new keystore with one slot for each of `slots`, not written yet.
  init(id: UserID, slots: [NewSlot], bounds: Argon2idBounds) throws(KeystoreError) {
    guard let first = slots.first else { throw .lastSlot }
    self.init(header: Header(id: id), contents: Contents(), dataKey: .random(count: 0), openedSlot: first.name)
    try rekey(slots: slots, bounds: bounds)
  }

  /// Draws a new data key and replaces all slots.
  mutating func rekey(slots new: [NewSlot], bounds: Argon2idBounds) throws(KeystoreError) {
    guard let first = new.first else { throw .lastSlot }
    guard new.count <= KeystoreLimits.slots else { throw .tooMany("slots", limit: KeystoreLimits.slots) }
    let dataKey = SecretBytes.random(count: KeystoreLimits.dataKeyBytes)
    var slots: [Slot] = []
    for slot in new {
      guard !slots.contains(where: { $0.name == slot.name }) else { throw .slotExists(name: slot.name) }
      slots.append(try Slot(slot, id: id, dataKey: dataKey, bounds: bounds))
    }
    self.dataKey = dataKey
    header.slots = slots
    openedSlot = first.name
  }

  mutating func addSlot(_ new: NewSlot, bounds: Argon2idBounds) throws(KeystoreError) {
    guard !header.slots.contains(where: { $0.name == new.name }) else { throw .slotExists(name: new.name) }
    guard header.slots.count < KeystoreLimits.slots else { throw .tooMany("slots", limit: KeystoreLimits.slots) }
    header.slots.append(try Slot(new, id: id, dataKey: dataKey, bounds: bounds))
  }

  /// Makes a slot anew under its name. If it is the only one, under a new data key too.
  mutating func replaceSlot(_ new: NewSlot, bounds: Argon2idBounds) throws(KeystoreError) {
    guard let index = header.slots.firstIndex(where: { $0.name == new.name }) else {
      throw .unknownSlot(name: new.name)
    }
    guard header.slots.count > 1 else { return try rekey(slots: [new], bounds: bounds) }
    header.slots[index] = try Slot(new, id: id, dataKey: dataKey, bounds: bounds)
  }

  mutating func removeSlot(_ name: String) throws(KeystoreError) {
    guard let index = header.slots.firstIndex(where: { $0.name == name }) else { throw .unknownSlot(name: name) }
    guard header.slots.count > 1 else { throw .lastSlot }
    header.slots.remove(at: index)
  }

  mutating func addApp(_ app: AppID, registrars: [String]) throws(KeystoreError) {
    let entry = try Header.App(app: app, registrars: registrars)
    if let index = header.apps.firstIndex(where: { $0.app == app }) {
      header.apps[index] = entry
      contents.apps[index] = contents.apps[index].noting(registrars)
      return
    }
    guard header.apps.count < KeystoreLimits.apps else { throw .tooMany("apps", limit: KeystoreLimits.apps) }
    header.apps.append(entry)
    contents.apps.append(AppState(app: app, registrars: registrars))
  }

  mutating func addPaperKey(_ key: VerifyingKey) throws(KeystoreError) {
    guard !header.paperKeys.contains(key) else { return }
    guard header.paperKeys.count < KeystoreLimits.paperKeys else {
      throw .tooMany("paper keys", limit: KeystoreLimits.paperKeys)
    }
    header.paperKeys.append(key)
  }

  mutating func removePaperKey(_ key: VerifyingKey) throws(KeystoreError) {
    guard header.paperKeys.contains(key) else { throw .unknownKey(key) }
    header.paperKeys.removeAll { $0 == key }
  }
}
