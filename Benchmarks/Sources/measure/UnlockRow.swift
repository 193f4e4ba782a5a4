import CArgon2
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat

/// Opening a keystore against the password hash in it.
enum UnlockRow {
  private static let password = Array("correct horse battery staple".utf8)

  /// Arguments: where to make the keystore, and how many rounds. Prints seconds.
  static func run(_ arguments: [String]) throws {
    let file = KeystoreFile(path: try argument(0, of: arguments))
    let rounds = try number(1, of: arguments)
    guard let id = UserID("00mje54b28z7esbcej4y4jwqy") else { throw Trouble("no user id") }
    let parameters = Argon2idParameters.standard
    let credential = Credential.password(SecretBytes(copying: password))
    _ = try file.create(
      id: id, key: .generate(), at: 0,
      slots: [NewSlot(name: "password", credential: credential, parameters: parameters)])
    for round in 0..<rounds {
      let early = round % 2 == 0 ? try bare(parameters) : nil
      let ours = try Cost { _ = try file.read().unlock(with: credential) }
      printPair(ours: ours, peer: try early ?? bare(parameters))
    }
  }

  private static func bare(_ parameters: Argon2idParameters) throws -> Cost {
    let salt = Randomness.bytes(16)
    var key = [UInt8](repeating: 0, count: 32)
    var code: Int32 = 0
    let cost = Cost {
      code = argon2id_hash_raw(
        parameters.passes, parameters.memoryKiB, parameters.lanes, password, password.count, salt, salt.count, &key,
        key.count)
    }
    guard code == ARGON2_OK.rawValue else { throw Trouble("argon2id_hash_raw gives \(code)") }
    return cost
  }
}
