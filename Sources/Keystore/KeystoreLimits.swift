import Cryptography

/// Every limit of the keystore format, in one place (docs/keystore-format.md).
public enum KeystoreLimits {
  /// The version of the format that is written, and the only one that is read.
  public static let version: Int64 = 1
  /// Largest file, in bytes: 1 MiB.
  public static let fileBytes = 1 << 20
  /// Most slots of a file.
  public static let slots = 8
  /// Longest name of a slot, in ASCII characters of `[a-z0-9-]`.
  public static let slotNameLength = 32
  /// Most apps of an identity.
  public static let apps = 64
  /// Most registrars that are noted for an app.
  public static let registrars = 8
  /// Longest address of a registrar, in bytes of printable ASCII.
  public static let registrarBytes = 512
  /// Most public halves of paper keys.
  public static let paperKeys = 16
  /// Most secret keys, those that were never used included.
  public static let keys = 1_024
  /// Most key changes that are under way, in all apps together.
  public static let changes = 16
  /// Largest record that is kept with a change, in bytes: what a registrar takes at most (protocol §3).
  public static let recordBytes = 8_192
  /// Most hashes of records that the keystore made itself; the oldest are forgotten.
  public static let ownRecords = 4_096
  /// Bytes of the key that encrypts the secrets.
  public static let dataKeyBytes = XChaCha20Poly1305.keyCount
  /// Bytes of a salt that is drawn here (RFC 9106 §3.1).
  public static let saltBytes = 16
  /// Longest file name, in bytes: the names of the side files are longer by a few.
  public static let fileNameBytes = 240
  /// Nesting of the file's JSON; the top level is 1.
  static let nesting = 8
}

/// Which Argon2id parameters are taken from a file, or for a new slot.
///
/// A hostile file must not exhaust a machine, and nobody may talk a keystore into a password hash that costs nothing.
public struct Argon2idBounds: Hashable, Sendable {
  /// The least memory, in KiB.
  public var minimumMemoryKiB: UInt32
  /// The most memory, in KiB.
  public var maximumMemoryKiB: UInt32
  /// The most memory times passes, in KiB: it decides how long a call takes.
  public var maximumWorkKiB: UInt64

  /// The least memory of keystores in use: 16 MiB.
  public static let standardMinimumMemoryKiB: UInt32 = 16_384
  /// The most memory of keystores in use: 2 GiB.
  public static let standardMaximumMemoryKiB = Argon2id.maximumMemoryKiB
  /// Eight passes over the most memory: about ten seconds on a small machine.
  public static let standardMaximumWorkKiB = 8 * UInt64(Argon2id.maximumMemoryKiB)

  /// Takes the bounds as they are; those of ``Argon2id`` hold in any case.
  public init(
    minimumMemoryKiB: UInt32 = standardMinimumMemoryKiB, maximumMemoryKiB: UInt32 = standardMaximumMemoryKiB,
    maximumWorkKiB: UInt64 = standardMaximumWorkKiB
  ) {
    self.minimumMemoryKiB = minimumMemoryKiB
    self.maximumMemoryKiB = maximumMemoryKiB
    self.maximumWorkKiB = maximumWorkKiB
  }

  /// The bounds for keystores in use.
  public static let standard = Argon2idBounds()

  /// Refuses parameters outside the bounds. Takes no memory.
  func check(_ parameters: Argon2idParameters) throws(KeystoreError) {
    guard parameters.isWithinLimits, parameters.memoryKiB <= maximumMemoryKiB,
      parameters.workKiB <= maximumWorkKiB
    else { throw .parametersOutOfRange(parameters) }
    guard parameters.memoryKiB >= minimumMemoryKiB else { throw .parametersTooWeak(parameters) }
  }
}

extension Argon2idParameters {
  /// Memory times passes, in KiB.
  var workKiB: UInt64 { UInt64(memoryKiB) * UInt64(passes) }

  /// What an attacker pays for a guess: memory, times the time it is occupied. Within ``Argon2id``'s limits this is
  /// below 2⁴⁸.
  private var attackCost: UInt64 { UInt64(memoryKiB) * workKiB }

  /// Parameters at least as strong as `target` and these, if these are weaker than `target`; nil if they are not.
  func strengthened(to target: Argon2idParameters) -> Argon2idParameters? {
    guard attackCost < target.attackCost else { return nil }
    guard memoryKiB > target.memoryKiB else { return target }
    return Argon2idParameters(memoryKiB: memoryKiB, passes: target.passes, lanes: target.lanes)
  }
}
