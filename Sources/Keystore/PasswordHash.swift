public import Cryptography

/// How a password becomes a key: parameters and salt of Argon2id, as a PHC string without the hash.
///
/// `$argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>`, numbers in decimal without leading zeros, the salt in base64
/// without padding.
public struct PasswordHash: Hashable, Sendable {
  /// The cost of a guess.
  public let parameters: Argon2idParameters
  /// 8…64 bytes.
  public let salt: [UInt8]

  private static let prefix = "$argon2id$v=19$"
  /// More than any valid text has.
  private static let maxTextCount = 160

  /// What is wrong with a text.
  enum Fault: Error, Hashable {
    /// Not of this form.
    case malformed
    /// Another password hash, or another version of Argon2id.
    case unsupported
  }

  /// A new salt for these parameters.
  init(drawingSaltFor parameters: Argon2idParameters) {
    self.parameters = parameters
    salt = Randomness.bytes(KeystoreLimits.saltBytes)
  }

  /// Reads a text strictly. Whether the parameters make sense is not looked at.
  init(parsing text: String) throws(Fault) {
    guard text.utf8.count <= Self.maxTextCount else { throw .malformed }
    guard text.hasPrefix(Self.prefix) else { throw text.hasPrefix("$") ? .unsupported : .malformed }
    let parts = text.utf8.dropFirst(Self.prefix.utf8.count).split(
      separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
    guard parts.count == 2, let salt = Self.salt(Array(parts[1])) else { throw .malformed }
    let numbers = parts[0].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard numbers.count == 3, let memory = Self.number("m=", numbers[0]), let passes = Self.number("t=", numbers[1]),
      let lanes = Self.number("p=", numbers[2])
    else { throw .malformed }
    parameters = Argon2idParameters(memoryKiB: memory, passes: passes, lanes: lanes)
    self.salt = salt
  }

  /// The PHC string.
  public var text: String {
    let numbers = "m=\(parameters.memoryKiB),t=\(parameters.passes),p=\(parameters.lanes)"
    let base64 = Base64.encode(salt).utf8.filter { $0 != UInt8(ascii: "=") }
    return Self.prefix + numbers + "$" + String(decoding: base64, as: UTF8.self)
  }

  /// The key of a password. Takes the memory the parameters ask for; they were checked before.
  func key(for password: SecretBytes) throws(KeystoreError) -> SecretBytes {
    do {
      return try Argon2id.hash(
        password: password, salt: salt, parameters: parameters, outputCount: XChaCha20Poly1305.keyCount)
    } catch {
      switch error {
      case .parametersOutOfRange(let parameters): throw .parametersOutOfRange(parameters)
      case .passwordTooLong(let count): throw .passwordTooLong(count: count)
      case .outOfMemory(let memoryKiB): throw .outOfMemory(memoryKiB: memoryKiB)
      case .library(let code): throw .passwordHashFailed(code: code)
      case .saltLength, .outputLength: throw .invalidField(pointer: "/slots")
      }
    }
  }

  private static func salt(_ characters: [UInt8]) -> [UInt8]? {
    let padding = [UInt8](repeating: UInt8(ascii: "="), count: (4 - characters.count % 4) % 4)
    guard !characters.contains(UInt8(ascii: "=")), let salt = Base64.decodeCanonical(characters + padding),
      Argon2id.saltCounts.contains(salt.count)
    else { return nil }
    return salt
  }

  private static func number(_ name: String, _ field: Substring.UTF8View.SubSequence) -> UInt32? {
    guard field.starts(with: name.utf8) else { return nil }
    let digits = field.dropFirst(name.utf8.count)
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1,
      digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 })
    else { return nil }
    return UInt32(String(decoding: digits, as: UTF8.self))
  }
}
