public import Cryptography

/// What a slot is opened with.
public enum SlotKind: String, Hashable, Sendable, CaseIterable {
  /// A password that a person chose.
  case password
  /// A recovery code on paper.
  case recoveryCode = "recovery-code"

  /// For people.
  var noun: String {
    switch self {
    case .password: "password"
    case .recoveryCode: "recovery code"
    }
  }
}

/// A secret that opens a keystore.
public enum Credential: Sendable {
  /// The bytes of a password, as it was typed: at least one, at most ``Argon2id/maximumPasswordCount``.
  case password(SecretBytes)
  /// A recovery code.
  case recoveryCode(RecoveryCode)

  /// The kind of slot it opens.
  public var kind: SlotKind {
    switch self {
    case .password: .password
    case .recoveryCode: .recoveryCode
    }
  }

  /// What goes into the password hash.
  var secret: SecretBytes {
    switch self {
    case .password(let password): password
    case .recoveryCode(let code): code.secret
    }
  }

  /// The error when no slot opens.
  var mismatch: KeystoreError {
    switch self {
    case .password: .wrongPassword
    case .recoveryCode: .wrongRecoveryCode
    }
  }
}

extension Credential: CustomStringConvertible, CustomReflectable {
  /// The kind only.
  public var description: String { "Credential(\(kind.rawValue), redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A slot to be made.
public struct NewSlot: Sendable {
  /// 1 to 32 characters of `[a-z0-9-]`, different from those of the other slots.
  public var name: String
  /// What will open it.
  public var credential: Credential
  /// The cost of a guess.
  public var parameters: Argon2idParameters

  /// Puts them together; they are checked when the slot is made.
  public init(name: String, credential: Credential, parameters: Argon2idParameters = .standard) {
    self.name = name
    self.credential = credential
    self.parameters = parameters
  }
}
