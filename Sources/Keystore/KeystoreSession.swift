public import Cryptography
public import KeyRecords
import Synchronization

/// The one session that may change a keystore.
///
/// Every change is on disk when its call returns, and what ``keystore`` shows was written before: a key cannot be used
/// for a record before it is safe. When a call throws, the session is as before it; if writing itself failed, the file
/// may all the same hold the change, and the next one says ``KeystoreError/changedOnDisk(path:)``: open a new session.
///
/// The lock is held until the session is released.
public final class KeystoreSession: Sendable {
  private struct State {
    var keystore: OpenKeystore
    /// What is on disk.
    var bytes: [UInt8]
  }

  private let folder: Folder
  private let lock: KeystoreLock
  private let bounds: Argon2idBounds
  private let state: Mutex<State>

  init(folder: Folder, lock: KeystoreLock, keystore: OpenKeystore, bytes: [UInt8], bounds: Argon2idBounds) {
    self.folder = folder
    self.lock = lock
    self.bounds = bounds
    state = Mutex(State(keystore: keystore, bytes: bytes))
  }

  /// Writes a keystore to a place that was found empty under the lock.
  convenience init(
    creatingIn folder: Folder, lock: KeystoreLock, keystore: OpenKeystore, bounds: Argon2idBounds
  ) throws(KeystoreError) {
    var keystore = keystore
    let bytes = try Self.bytes(of: &keystore)
    try folder.replace(with: bytes)
    self.init(folder: folder, lock: lock, keystore: keystore, bytes: bytes, bounds: bounds)
  }

  /// The keystore as it is on disk.
  public var keystore: OpenKeystore { state.withLock { $0.keystore } }

  // MARK: Key changes

  /// Begins a change: a key for it is generated or looked up, and stored.
  ///
  /// `key` is nil exactly for actions that bring none. `now` is milliseconds since 1970. Several changes may be under
  /// way, so that a revocation need not wait for a rotation that hangs.
  public func begin(
    _ action: KeyRecord.Action, in app: AppID, key: KeyChange.KeySource?, at now: Int64
  ) throws(KeystoreError) -> KeyChange {
    try update { keystore throws(KeystoreError) in try keystore.begin(action, in: app, key: key, at: now) }
  }

  /// Stores the unsigned record of a change while approvals of others are collected. Replaces one that was stored before.
  @discardableResult
  public func attach(draft: String, to change: Int64) throws(KeystoreError) -> KeyChange {
    try update { keystore throws(KeystoreError) in try keystore.attach(draft: draft, to: change) }
  }

  /// Stores the signed record of a change, before it is sent. Replaces one that was stored before.
  @discardableResult
  public func attach(record: String, to change: Int64) throws(KeystoreError) -> KeyChange {
    try update { keystore throws(KeystoreError) in try keystore.attach(record, to: change) }
  }

  /// Notes that the registrar accepted the record, and when it will take effect (milliseconds since 1970).
  @discardableResult
  public func accept(_ change: Int64, effective: Int64) throws(KeystoreError) -> KeyChange {
    try update { keystore throws(KeystoreError) in try keystore.accept(change, effective: effective) }
  }

  /// Ends a change whose record has taken effect: its key is in force from now on, or none is after `revoke` and
  /// `retire`.
  public func complete(_ change: Int64) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.complete(change) }
  }

  /// Ends a change that came to nothing. Its key stays in the keystore: a registrar may have taken the record all the
  /// same.
  public func abandon(_ change: Int64) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.abandon(change) }
  }

  /// Notes what the user's history says, whatever was thought before. `current` is a held key, exactly for `active`.
  /// `mark` is how far it went; nil leaves what was noted of that.
  public func settle(
    _ app: AppID, status: AppState.Status, current: VerifyingKey?, mark: HistoryMark? = nil
  ) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in
      try keystore.settle(app, status: status, current: current, mark: mark)
    }
  }

  /// Notes records that the owner made with another copy of the keystore, or on another device, as own ones: see
  /// ``OpenKeystore/accountsFor(_:at:in:)``. For good: ask the owner first.
  public func acknowledge(_ records: [RecordHash], in app: AppID) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.noteOwn(records, in: app) }
  }

  // MARK: Identity

  /// Adds an app (unclaimed), or replaces the addresses of its registrars.
  public func addApp(_ app: AppID, registrars: [String]) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.addApp(app, registrars: registrars) }
  }

  /// Adds a key that was made elsewhere, such as an imported one. It is in force nowhere yet.
  public func addKey(_ key: SigningKey, at now: Int64) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.addKey(key, created: now) }
  }

  /// Notes what the first claim was made of, once and for all.
  public func noteOriginalClaim(_ claim: OriginalClaim) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.noteOriginalClaim(claim) }
  }

  /// Notes the public half of a paper key.
  public func addPaperKey(_ key: VerifyingKey) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.addPaperKey(key) }
  }

  /// Forgets the public half of a paper key.
  public func removePaperKey(_ key: VerifyingKey) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.removePaperKey(key) }
  }

  // MARK: Slots

  /// Adds a way to open the keystore. Costs a password hash.
  public func addSlot(_ slot: NewSlot) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.addSlot(slot, bounds: self.bounds) }
  }

  /// Makes the slot of this name anew: another password, or other parameters. Costs a password hash.
  ///
  /// The data key stays if there are other slots. Whoever has an old copy of the file and the old password still gets
  /// at it: see ``rekey(slots:)``, and rotate keys that may have leaked.
  public func replaceSlot(_ slot: NewSlot) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.replaceSlot(slot, bounds: self.bounds) }
  }

  /// Removes a slot, but never the last one.
  public func removeSlot(_ name: String) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.removeSlot(name) }
  }

  /// Encrypts everything under a new data key and replaces all slots. Costs a password hash per slot.
  public func rekey(slots: [NewSlot]) throws(KeystoreError) {
    try update { keystore throws(KeystoreError) in try keystore.rekey(slots: slots, bounds: self.bounds) }
  }

  // MARK: Writing

  /// Changes a copy, writes it, and only then keeps it.
  private func update<Result: Sendable>(
    _ change: (inout OpenKeystore) throws(KeystoreError) -> Result
  ) throws(KeystoreError) -> Result {
    try state.withLock { (state: inout State) throws(KeystoreError) -> Result in
      var keystore = state.keystore
      let result = try change(&keystore)
      let bytes = try Self.bytes(of: &keystore)
      guard try self.isUnchanged(state.bytes) else { throw KeystoreError.changedOnDisk(path: self.folder.path) }
      try self.folder.replace(with: bytes)
      state = State(keystore: keystore, bytes: bytes)
      return result
    }
  }

  private func isUnchanged(_ bytes: [UInt8]) throws(KeystoreError) -> Bool {
    do {
      return try folder.read() == bytes
    } catch .notFound {
      return false
    }
  }

  private static func bytes(of keystore: inout OpenKeystore) throws(KeystoreError) -> [UInt8] {
    let bytes = try keystore.seal().bytes
    guard bytes.count <= KeystoreLimits.fileBytes else { throw .tooLarge(count: bytes.count) }
    return bytes
  }
}

extension KeystoreSession: CustomStringConvertible, CustomReflectable {
  /// The path only.
  public var description: String { "KeystoreSession(\(folder.path), redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
