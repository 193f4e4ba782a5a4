import BatchVerifier
import Cryptography
import Glibc
import KeyRecords
import Keystore
import RegistryClient

/// A keystore for a trial, which is gone before anything is done with it.
enum ScratchKeystore {
  static func session(id: UserID, app: AppID) throws -> KeystoreSession {
    var template = Array("/tmp/peerkey-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw StreamFailure("cannot make a folder in /tmp", number: errno) }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      // What is written later fails, which a trial does not.
      for name in ["keystore", ".keystore.lock", ".keystore.new"] { unlink("\(folder)/\(name)") }
      rmdir(folder)
    }
    let slot = NewSlot(
      name: "password", credential: .password(.random(count: passwordBytes)),
      parameters: Argon2idParameters(memoryKiB: Argon2idBounds.standardMinimumMemoryKiB, passes: 1, lanes: 1))
    let session = try KeystoreFile(path: "\(folder)/keystore").create(
      id: id, key: .generate(), at: SystemClock().now(), slots: [slot])
    try session.addApp(app, registrars: [])
    return session
  }

  private static let passwordBytes = 32
}
