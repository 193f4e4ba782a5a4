import Cryptography
import KeyRecords
import Keystore
import Synchronization

/// A keystore that other commands may change meanwhile. It is opened again only when it was written.
final class LiveKeystore: Sendable {
  private let file: KeystoreFile
  private let credential: Credential
  private let last: Mutex<OpenKeystore>

  private static let longestWait = Duration.seconds(10)

  init(_ options: KeystoreOptions) throws {
    file = options.file
    // Before the password is asked for.
    _ = try file.read()
    credential = try options.password()
    last = Mutex(try file.unlock(with: credential, strengtheningTo: try options.parameters()))
  }

  /// The keystore as it was when it could last be opened.
  var latest: OpenKeystore { (try? current()) ?? last.withLock { $0 } }

  /// The keystore as it lies on the disk.
  func current() throws(KeystoreError) -> OpenKeystore {
    let known = last.withLock { $0 }
    let sealed = try file.read(id: known.id)
    guard sealed.revision != known.revision else { return known }
    let keystore = try sealed.unlock(with: credential)
    last.withLock { $0 = keystore }
    return keystore
  }

  /// Waits until no command is changing the keystore; nil if that takes long.
  func settled() throws(KeystoreError) -> OpenKeystore? {
    do throws(KeystoreError) {
      return try file.openSession(with: credential, wait: Self.longestWait, strengtheningTo: nil).keystore
    } catch {
      guard case .locked = error else { throw error }
      return nil
    }
  }
}

/// Tells what a keystore did itself from what happened to its id.
struct OwnDoing {
  let id: UserID
  let paperKeys: [VerifyingKey]
  private let keystore: LiveKeystore
  private let app: AppID

  init(_ keystore: LiveKeystore, app: AppID) {
    let latest = keystore.latest
    id = latest.id
    paperKeys = latest.paperKeys
    self.keystore = keystore
    self.app = app
  }

  /// Whether this keystore made an entry about its id, or the entry is older than what it keeps of its own doings.
  ///
  /// A record is stored before it is sent, so the keystore that made an entry has it by the time the entry is seen; one
  /// that began with a look at the registrar may be about to write down what it found, and holds the lock until it has.
  func isKnown(_ entry: Entry) throws -> Bool {
    if isNoted(entry, in: try keystore.current()) { return true }
    return try keystore.settled().map { isNoted(entry, in: $0) } ?? false
  }

  private func isNoted(_ entry: Entry, in keystore: OpenKeystore) -> Bool {
    keystore.accountsFor(entry.content.hash, at: entry.index, in: app)
  }
}
