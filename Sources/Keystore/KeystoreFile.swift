public import Cryptography
public import KeyRecords

/// Where a keystore lies, and how it is read and written there.
///
/// Files are plain ones of mode 0600, owned by who reads them, never symbolic links. Every version is written whole
/// under another name first, so a crash leaves the old or the new one.
public struct KeystoreFile: Sendable {
  /// The path of the file.
  public let path: String
  /// The Argon2id parameters that are taken.
  public let bounds: Argon2idBounds

  /// A file that may not exist yet.
  public init(path: String, bounds: Argon2idBounds = .standard) {
    self.path = path
    self.bounds = bounds
  }

  /// Reads the file without opening it. Needs no lock: versions replace each other as a whole.
  ///
  /// Refuses the keystore of another identity than `id`, or one without the app `app`, where these are given.
  public func read(id: UserID? = nil, app: AppID? = nil) throws(KeystoreError) -> SealedKeystore {
    let keystore = try SealedKeystore(parsing: try Folder(ofFileAt: path).read(), bounds: bounds)
    try keystore.check(id: id, app: app)
    return keystore
  }

  /// Opens the keystore to sign and to open boxes.
  ///
  /// A slot with weaker parameters than `target` is made anew with it, if nobody else is changing the file right now
  /// and it can be written; if not, that is left to the next time. Nil leaves every slot as it is.
  public func unlock(
    with credential: Credential, id: UserID? = nil, app: AppID? = nil,
    strengtheningTo target: Argon2idParameters? = .standard
  ) throws(KeystoreError) -> OpenKeystore {
    let keystore = try read(id: id, app: app).unlock(with: credential)
    guard keystore.slotToStrengthen(for: credential, to: target, bounds: bounds) != nil else { return keystore }
    do {
      return try openSession(with: credential, id: keystore.id, app: app, strengtheningTo: target).keystore
    } catch {
      return keystore
    }
  }

  /// Opens the keystore to change it, and keeps others from doing so for as long as the session lives.
  ///
  /// Waits at most `wait` for another session. A slot with weaker parameters than `target` is made anew with it, if that
  /// is possible.
  public func openSession(
    with credential: Credential, id: UserID? = nil, app: AppID? = nil, wait: Duration = .zero,
    strengtheningTo target: Argon2idParameters? = .standard
  ) throws(KeystoreError) -> KeystoreSession {
    let folder = try Folder(ofFileAt: path)
    // Without a lock file next to a keystore that is not there.
    guard folder.fileExists() else { throw .notFound(path: path) }
    let lock = try KeystoreLock(in: folder, wait: wait)
    let bytes = try folder.read()
    let sealed = try SealedKeystore(parsing: bytes, bounds: bounds)
    try sealed.check(id: id, app: app)
    let keystore = try sealed.unlock(with: credential)
    let session = KeystoreSession(folder: folder, lock: lock, keystore: keystore, bytes: bytes, bounds: bounds)
    if let slot = keystore.slotToStrengthen(for: credential, to: target, bounds: bounds) {
      // Too little memory for it, or no place on the disk, is no reason to lock the owner out.
      try? session.replaceSlot(slot)
    }
    return session
  }

  /// Makes a new keystore for the user id `id` with its first key, and a slot for each of `slots`, and writes it. Never
  /// replaces a file. `now` is milliseconds since 1970.
  public func create(
    id: UserID, key: SigningKey, at now: Int64, slots: [NewSlot], wait: Duration = .zero
  ) throws(KeystoreError) -> KeystoreSession {
    let (folder, lock) = try reserve(wait: wait)
    var keystore = try OpenKeystore(id: id, slots: slots, bounds: bounds)
    try keystore.addKey(key, created: now)
    return try KeystoreSession(creatingIn: folder, lock: lock, keystore: keystore, bounds: bounds)
  }

  /// Writes a copy of a keystore under a new data key with slots of its own: an encrypted export, an import of one, a
  /// backup. The format is the same. Never replaces a file.
  public func create(
    copying keystore: OpenKeystore, slots: [NewSlot], wait: Duration = .zero
  ) throws(KeystoreError) -> KeystoreSession {
    let (folder, lock) = try reserve(wait: wait)
    var copy = keystore
    try copy.rekey(slots: slots, bounds: bounds)
    return try KeystoreSession(creatingIn: folder, lock: lock, keystore: copy, bounds: bounds)
  }

  private func reserve(wait: Duration) throws(KeystoreError) -> (Folder, KeystoreLock) {
    let folder = try Folder(ofFileAt: path)
    let lock = try KeystoreLock(in: folder, wait: wait)
    guard !folder.fileExists() else { throw .alreadyExists(path: path) }
    return (folder, lock)
  }
}

extension OpenKeystore {
  /// The opened slot as it should be made anew; nil if it is strong enough.
  func slotToStrengthen(
    for credential: Credential, to target: Argon2idParameters?, bounds: Argon2idBounds
  ) -> NewSlot? {
    guard let target, let slot = slots.first(where: { $0.name == openedSlot }),
      let parameters = slot.parameters.strengthened(to: target), (try? bounds.check(parameters)) != nil
    else { return nil }
    return NewSlot(name: slot.name, credential: credential, parameters: parameters)
  }
}
