import Cryptography
import Glibc
import KeyRecords
import PeerstackFormat
import Testing

@testable import Keystore

/// Parameters that cost next to nothing, and bounds that let them pass.
enum Cheap {
  static let parameters = Argon2idParameters(memoryKiB: 8, passes: 1, lanes: 1)
  static let bounds = Argon2idBounds(minimumMemoryKiB: 8)
}

/// A folder of its own that goes when the test ends.
final class TestFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/keystore-tests-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  var names: [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  func file(_ name: String = "alice.json", bounds: Argon2idBounds = Cheap.bounds) -> KeystoreFile {
    KeystoreFile(path: "\(path)/\(name)", bounds: bounds)
  }

  func read(_ name: String = "alice.json") throws -> [UInt8] {
    try Folder(ofFileAt: "\(path)/\(name)").read()
  }

  func write(_ bytes: [UInt8], to name: String = "alice.json", mode: mode_t = 0o600) throws {
    let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, mode)
    try #require(file >= 0)
    defer { close(file) }
    try #require(Glibc.write(file, bytes, bytes.count) == bytes.count && fchmod(file, mode) == 0)
  }
}

func secret(_ text: String) -> SecretBytes {
  SecretBytes(copying: Array(text.utf8))
}

func text(_ secret: SecretBytes) -> String {
  secret.withBytes { $0.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }
}

func userID(_ text: String) -> UserID {
  guard let id = UserID(text) else { preconditionFailure("\(text) is no user id") }
  return id
}

func appID(_ text: String) -> AppID {
  guard let id = AppID(text) else { preconditionFailure("\(text) is no app id") }
  return id
}

let alice = userID("0mc2q6zx7calicealicealice")
let bob = userID("0mc2q6zx7cbobbobbobbobbob")
let chat = appID("chat.example")
let forum = appID("forum.example")
let now: Int64 = 1_790_000_000_000
let password = Credential.password(secret("correct horse"))

/// Of a key whose box key does not matter.
func originalClaim(of key: VerifyingKey) throws -> OriginalClaim {
  OriginalClaim(
    authority: try #require(Authority(tiers: [.signer])), publicKey: key,
    publicBoxKey: SigningKey.generate().boxKey.publicKey)
}

let mark = HistoryMark(
  registrar: "https://registrar.example", first: RecordHash(of: [1]), sequence: 3, head: RecordHash(of: [2]),
  incarnation: 1, lastIndex: 8, index: 9, time: now)

func slot(_ credential: Credential = password, _ name: String = "password") -> NewSlot {
  NewSlot(name: name, credential: credential, parameters: Cheap.parameters)
}

extension KeystoreFile {
  /// A keystore whose first key is in force in the app `chat`.
  func makeActive(id: UserID = alice, key: SigningKey = .generate(), slots: [NewSlot] = [slot()]) throws
    -> KeystoreSession
  {
    let session = try create(id: id, key: key, at: now, slots: slots)
    try session.addApp(chat, registrars: ["https://registrar.example"])
    try session.settle(chat, status: .active, current: key.verifyingKey)
    return session
  }

  func unlockCheaply(_ credential: Credential = password) throws(KeystoreError) -> OpenKeystore {
    try unlock(with: credential, strengtheningTo: nil)
  }

  func session(_ credential: Credential = password) throws(KeystoreError) -> KeystoreSession {
    try openSession(with: credential, strengtheningTo: nil)
  }
}

/// The file with its top-level members changed, and a checksum that fits again.
func forged(_ bytes: [UInt8], _ change: (JSONObject) throws -> JSONObject) throws -> [UInt8] {
  let object = try change(try #require(JSONValue.parseLenient(bytes).object)).omitting(["checksum"])
  let checksum = SHA256.hash(CanonicalJSON.bytes(of: .object(object))).hex
  return CanonicalJSON.bytes(of: .object(object.setting("checksum", to: .text(checksum))))
}

extension JSONObject {
  /// With the first slot changed.
  func changingSlot(_ change: (JSONObject) -> JSONObject) throws -> JSONObject {
    var slots = try #require(self["slots"]?.array)
    slots[0] = .object(change(try #require(slots[0].object)))
    return setting("slots", to: .array(slots))
  }
}

/// SplitMix64: the same inputs on every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
