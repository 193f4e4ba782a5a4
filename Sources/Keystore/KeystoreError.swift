public import Cryptography
public import KeyRecords
public import PeerstackFormat

/// Why a keystore was not read, opened, changed or written. None of these carries a secret.
///
/// Without the right password nothing can be learned about the sealed part: whatever is wrong there is
/// ``wrongPassword``. What can be seen from outside has an error of its own.
public enum KeystoreError: Error, Hashable, Sendable {
  // Files

  /// There is no such file.
  case notFound(path: String)
  /// A new keystore would replace this file.
  case alreadyExists(path: String)
  /// The path does not name a file.
  case invalidPath(String)
  /// The file is a symbolic link.
  case symbolicLink(path: String)
  /// The path names a folder, a device or something else that is no plain file.
  case notAFile(path: String)
  /// Somebody else owns the file.
  case foreignOwner(path: String, userID: UInt32)
  /// Others than the owner can read or write the file.
  case openPermissions(path: String, mode: UInt32)
  /// More bytes than ``KeystoreLimits/fileBytes``.
  case tooLarge(count: Int)
  /// Another process or session is changing the keystore.
  case locked(path: String)
  /// The file is not what this session read or wrote last.
  case changedOnDisk(path: String)
  /// A system call failed, with its `errno`.
  case system(step: String, path: String, code: Int32)

  // What can be seen without a password

  /// The file ends too early.
  case truncated(count: Int)
  /// The file is no JSON of the strict kind.
  case malformed(JSONSyntaxError)
  /// The file is JSON, but no keystore.
  case notAKeystore
  /// The file was damaged: its checksum does not fit.
  case damaged
  /// A version of the format that is not known here.
  case unknownVersion(Int64)
  /// A field is missing, unknown, or not what it should be; a JSON pointer.
  case invalidField(pointer: String)
  /// Another password hash than Argon2id version 1.3.
  case unsupportedPasswordHash(pointer: String)
  /// Argon2id parameters that would cost too much; nothing was computed.
  case parametersOutOfRange(Argon2idParameters)
  /// Argon2id parameters that nobody should have chosen: the file was downgraded.
  case parametersTooWeak(Argon2idParameters)
  /// The keystore of another identity.
  case otherIdentity(expected: UserID, found: UserID)
  /// A keystore that knows nothing of this app.
  case otherApp(expected: AppID, found: [AppID])

  // Unlocking

  /// No password slot opens with this password.
  case wrongPassword
  /// No recovery slot opens with this code.
  case wrongRecoveryCode
  /// No slot of this kind exists.
  case noSlot(SlotKind)
  /// The password is right, but the file is not as it was written: parts of it were exchanged.
  case tampered
  /// The system has not enough memory for the password hash.
  case outOfMemory(memoryKiB: UInt32)
  /// libargon2 failed; its code is named.
  case passwordHashFailed(code: Int32)

  // Changes

  /// A password without characters.
  case emptyPassword
  /// A password longer than ``Argon2id/maximumPasswordCount`` bytes.
  case passwordTooLong(count: Int)
  /// There is no slot of this name.
  case unknownSlot(name: String)
  /// A slot of this name exists.
  case slotExists(name: String)
  /// The last slot cannot be removed.
  case lastSlot
  /// No more than `limit` of these are possible.
  case tooMany(String, limit: Int)
  /// Not an address that can be noted for a registrar.
  case invalidRegistrar(String)
  /// Not a slot's name.
  case invalidSlotName(String)
  /// The identity has no such app.
  case unknownApp(AppID)
  /// The keystore holds no secret for this public key.
  case unknownKey(VerifyingKey)
  /// There is no change of this number.
  case unknownChange(Int64)
  /// The change cannot be made like this; a phrase says why.
  case invalidChange(String)
}

extension KeystoreError: CustomStringConvertible {
  /// A sentence for people: what failed, then what to do.
  public var description: String {
    fileDescription ?? contentDescription ?? unlockDescription ?? changeDescription
  }

  private var fileDescription: String? {
    switch self {
    case .notFound(let path): "there is no keystore at \(path): create or import one"
    case .alreadyExists(let path): "\(path) exists: choose another path, or move the file away"
    case .invalidPath(let path): "\"\(path)\" does not name a file: give the path of a keystore"
    case .symbolicLink(let path): "\(path) is a symbolic link, which could lead elsewhere: give the file itself"
    case .notAFile(let path): "\(path) is not a plain file: give the path of a keystore"
    case .foreignOwner(let path, let userID):
      "\(path) belongs to user \(userID): run this as that user, or make a copy of your own"
    case .openPermissions(let path, let mode):
      "others can use \(path) (mode \(String(mode, radix: 8))): run chmod 600 on it"
    case .tooLarge(let count):
      "the keystore has \(count) bytes, more than \(KeystoreLimits.fileBytes): this is not a file of ours"
    case .locked(let path): "another process is changing \(path): wait until it has finished"
    case .changedOnDisk(let path): "\(path) was changed by something else meanwhile: start over"
    case .system(let step, let path, let code): "cannot \(step) \(path): \(SystemText.error(code))"
    default: nil
    }
  }

  private var contentDescription: String? {
    switch self {
    case .truncated(let count): "the keystore ends after \(count) bytes, in the middle: take a backup"
    case .malformed(let error): "the keystore cannot be read (\(error)): take a backup"
    case .notAKeystore: "the file is no keystore: give another file"
    case .damaged: "the keystore is damaged, its checksum does not fit: take a backup"
    case .unknownVersion(let version):
      "the keystore has version \(version), but only \(KeystoreLimits.version) is known: update this program"
    case .invalidField(let pointer): "the keystore's field \"\(pointer)\" is wrong: take a backup"
    case .unsupportedPasswordHash(let pointer):
      "the keystore's field \"\(pointer)\" asks for a password hash other than Argon2id: do not use this file"
    case .parametersOutOfRange(let parameters):
      "the password hash would cost too much (\(parameters.text)): do not use this file"
    case .parametersTooWeak(let parameters):
      "the password hash is too weak (\(parameters.text)), the file may have been downgraded: do not use it"
    case .otherIdentity(let expected, let found): "the keystore is of \(found), not of \(expected): give another file"
    case .otherApp(let expected, let found):
      "the keystore is for \(found.map(\.text).joined(separator: ", ")), not for \(expected): give another file, or add the app"
    default: nil
    }
  }

  private var unlockDescription: String? {
    switch self {
    case .wrongPassword: "wrong password: try again"
    case .wrongRecoveryCode: "this is not the recovery code of this keystore: try another"
    case .noSlot(let kind): "the keystore cannot be opened with a \(kind.noun): use another way"
    case .tampered: "the keystore was changed by something that does not know its key: take a backup"
    case .outOfMemory(let memoryKiB): "the password hash needs \(memoryKiB / 1024) MiB of memory: free some"
    case .passwordHashFailed(let code): "the password hash failed (libargon2 code \(code)): try again"
    default: nil
    }
  }

  private var changeDescription: String {
    switch self {
    case .emptyPassword: "the password is empty: choose one"
    case .passwordTooLong(let count):
      "the password has \(count) bytes, more than \(Argon2id.maximumPasswordCount): choose a shorter one"
    case .unknownSlot(let name): "there is no slot \"\(name)\": list the slots"
    case .slotExists(let name): "there is a slot \"\(name)\" already: choose another name"
    case .lastSlot: "this is the last way to open the keystore: add another one first"
    case .tooMany(let what, let limit): "no more than \(limit) \(what) are possible: remove some"
    case .invalidRegistrar(let url): "\"\(url)\" cannot be noted for a registrar: give its https:// address"
    case .invalidSlotName(let name): "\"\(name)\" is no name for a slot: use 1 to 32 characters of a-z, 0-9 and -"
    case .unknownApp(let app): "the identity is not in \(app): add the app first"
    case .unknownKey(let key): "the keystore has no secret for the key \(Base64.encode(key.bytes32)): import it"
    case .unknownChange(let number): "there is no change \(number) under way: list the changes"
    case .invalidChange(let why): "the change is not possible: \(why)"
    default: "the keystore failed"
    }
  }
}

extension Argon2idParameters {
  /// For people.
  var text: String { "\(memoryKiB) KiB, \(passes) passes, \(lanes) lanes" }
}
