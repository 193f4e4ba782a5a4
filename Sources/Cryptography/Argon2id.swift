import CArgon2

/// The cost of one password guess.
public struct Argon2idParameters: Hashable, Sendable {
  /// Memory in KiB.
  public var memoryKiB: UInt32
  /// Passes over the memory.
  public var passes: UInt32
  /// Threads, each with its share of the memory.
  public var lanes: UInt32

  /// Takes the parameters as they are: ``Argon2id/hash(password:salt:parameters:outputCount:)`` checks them.
  public init(memoryKiB: UInt32, passes: UInt32, lanes: UInt32) {
    self.memoryKiB = memoryKiB
    self.passes = passes
    self.lanes = lanes
  }

  /// 256 MiB, 3 passes, 4 lanes: about half a second on a small machine.
  public static let standard = Argon2idParameters(memoryKiB: 262_144, passes: 3, lanes: 4)

  /// Whether the parameters are within ``Argon2id``'s limits.
  public var isWithinLimits: Bool {
    (1...Argon2id.maximumLanes).contains(lanes) && (1...Argon2id.maximumPasses).contains(passes)
      && (Argon2id.minimumMemoryKiBPerLane * lanes...Argon2id.maximumMemoryKiB).contains(memoryKiB)
  }
}

/// Argon2id version 1.3 (RFC 9106): keys from passwords.
///
/// A call takes all its memory at once and starts `lanes` threads: never on an event loop, one or two at a time.
public enum Argon2id {
  /// The most memory a call may take: 2 GiB. A stolen or forged key file must not be able to exhaust a machine.
  public static let maximumMemoryKiB: UInt32 = 2_097_152
  /// The least memory per lane the algorithm is defined for.
  public static let minimumMemoryKiBPerLane: UInt32 = 8
  /// The most passes of a call.
  public static let maximumPasses: UInt32 = 64
  /// The most lanes of a call.
  public static let maximumLanes: UInt32 = 16
  /// Bytes a password may have.
  public static let maximumPasswordCount = 4_096
  /// Bytes a salt may have. RFC 9106 asks for 16.
  public static let saltCounts = 8...64
  /// Bytes a derived key may have.
  public static let outputCounts = 16...64

  /// Why there is no key.
  public enum Failure: Error, Hashable, Sendable {
    /// The parameters are outside the limits; nothing was computed.
    case parametersOutOfRange(Argon2idParameters)
    /// The password is longer than ``Argon2id/maximumPasswordCount`` bytes.
    case passwordTooLong(count: Int)
    /// The salt has a length outside ``Argon2id/saltCounts``.
    case saltLength(Int)
    /// A key of this length cannot be asked for.
    case outputLength(Int)
    /// The system has not enough memory for these parameters.
    case outOfMemory(memoryKiB: UInt32)
    /// libargon2 gave another error, such as no threads left; its code is named.
    case library(code: Int32)
  }

  /// A key of `outputCount` bytes from a password.
  public static func hash(
    password: SecretBytes, salt: [UInt8], parameters: Argon2idParameters, outputCount: Int = 32
  ) throws(Failure) -> SecretBytes {
    guard parameters.isWithinLimits else { throw .parametersOutOfRange(parameters) }
    guard password.count <= maximumPasswordCount else { throw .passwordTooLong(count: password.count) }
    guard saltCounts.contains(salt.count) else { throw .saltLength(salt.count) }
    guard outputCounts.contains(outputCount) else { throw .outputLength(outputCount) }
    var code: Int32 = 0
    let key = SecretBytes(count: outputCount) { target in
      code = password.withPointer {
        argon2id_hash_raw(
          parameters.passes, parameters.memoryKiB, parameters.lanes, $0, password.count, salt, salt.count,
          target.baseAddress, target.count)
      }
    }
    switch code {
    case ARGON2_OK.rawValue: return key
    case ARGON2_MEMORY_ALLOCATION_ERROR.rawValue: throw .outOfMemory(memoryKiB: parameters.memoryKiB)
    default: throw .library(code: code)
    }
  }
}
