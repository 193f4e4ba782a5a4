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
  /// What the keystore had seen when the watch began is no news.
  private let seen: Int64

  init(_ keystore: LiveKeystore, app: AppID) {
    let latest = keystore.latest
    id = latest.id
    paperKeys = latest.paperKeys
    self.keystore = keystore
    self.app = app
    seen = latest.state(in: app)?.mark?.lastIndex ?? -1
  }

  /// Whether this keystore made an entry about its id, or knew of it before.
  func isKnown(_ entry: Entry) throws -> Bool {
    if entry.index <= seen { return true }
    if isNoted(entry, in: try keystore.current()) { return true }
    // The command that made it may be about to write down how it ended: it holds the lock until it has.
    return try keystore.settled().map { isNoted(entry, in: $0) } ?? false
  }

  /// A copy of the keystore in other hands holds the same keys, but neither those that come later here, nor what is
  /// noted here of each change.
  private func isNoted(_ entry: Entry, in keystore: OpenKeystore) -> Bool {
    guard let record = entry.record else { return false }
    if record.action.bringsKey { return keystore.keys.contains { $0.publicKey == record.publicKey } }
    if keystore.state(in: app)?.mark?.head == record.hash { return true }
    return keystore.changes.contains { $0.record.map { RecordHash(of: Array($0.utf8)) } == record.hash }
  }
}
