public import Cryptography
public import KeyRecords

/// A signing key that lives on paper: the highest tier of an authority, so that no thief of a device can lock out its
/// owner. Only its public half is kept in a keystore.
public struct PaperKey: Sendable {
  private let key: SigningKey

  /// A new key.
  public static func generate() -> PaperKey {
    PaperKey(key: .generate())
  }

  /// The key of a text that was typed in (see ``GroupedText``).
  public init(text: SecretBytes) throws(GroupedText.Failure) {
    guard let key = SigningKey(seed: try GroupedText.secret(of: text, kind: .paperKey)) else { throw .wrongChecksum }
    self.init(key: key)
  }

  private init(key: SigningKey) {
    self.key = key
  }

  /// The text to print: 71 ASCII characters, twelve groups that begin with `P1`.
  public var text: SecretBytes {
    GroupedText.text(of: key.withSeed { SecretBytes(copying: $0) }, kind: .paperKey)
  }

  /// The public half: what an authority's tier names.
  public var verifyingKey: VerifyingKey { key.verifyingKey }

  /// The right to approve key records with this key.
  public var recordSigner: any RecordSigner { key }
}

extension PaperKey: CustomStringConvertible, CustomReflectable {
  /// Nothing of the key.
  public var description: String { "PaperKey(redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A code on paper that opens a keystore whose password was forgotten.
public struct RecoveryCode: Sendable {
  /// The 32 bytes that go into the password hash.
  let secret: SecretBytes

  /// A new code.
  public static func generate() -> RecoveryCode {
    RecoveryCode(secret: .random(count: GroupedText.byteCount))
  }

  /// The code of a text that was typed in (see ``GroupedText``).
  public init(text: SecretBytes) throws(GroupedText.Failure) {
    self.init(secret: try GroupedText.secret(of: text, kind: .recoveryCode))
  }

  private init(secret: SecretBytes) {
    self.secret = secret
  }

  /// The text to print: 71 ASCII characters, twelve groups that begin with `R1`.
  public var text: SecretBytes { GroupedText.text(of: secret, kind: .recoveryCode) }
}

extension RecoveryCode: CustomStringConvertible, CustomReflectable {
  /// Nothing of the code.
  public var description: String { "RecoveryCode(redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
