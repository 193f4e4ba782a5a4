import Cryptography
import PeerstackFormat

/// An admin's key in a file: `{"publicKey","secretKey"}`, base64, mode 0600.
enum AdminKeyFile {
  /// Writes a new file; one that exists is left alone.
  static func write(_ key: SigningKey, to path: String) throws {
    let text: JSONValue = [
      "publicKey": .text(Base64.encode(key.verifyingKey.bytes32)),
      "secretKey": .text(PeerstackKeys.secretKeyText(of: key)),
    ]
    try TextFile.create(path, text.text + [UInt8(ascii: "\n")])
  }

  static func read(_ path: String) throws -> SigningKey {
    let fields = try? JSONValue.parseStrict(try TextFile.read(path)).object
    guard let text = fields?["secretKey"]?.string, var bytes = Base64.decodeCanonical(text),
      let key = SigningKey(secretKey: SecretBytes(wiping: &bytes))
    else { throw CommandFailure("\(path) holds no admin key: make one with `registrar keygen \(path)`") }
    return key
  }
}
