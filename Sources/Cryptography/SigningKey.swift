import CSodium

/// An Ed25519 secret key (RFC 8032) with the X25519 key peerstack derives from it.
public struct SigningKey: Sendable {
  /// Bytes of a seed.
  public static let seedCount = 32
  /// Bytes of the long form: seed and public key.
  public static let secretKeyCount = 64

  /// The public half.
  public let verifyingKey: VerifyingKey

  private let secretKey: SecretBytes

  /// A new key from the operating system's randomness.
  public static func generate() -> SigningKey {
    SigningKey(trustedSeed: .random(count: seedCount))
  }

  /// The key of a seed; nil unless that has exactly 32 bytes.
  public init?(seed: SecretBytes) {
    guard seed.count == Self.seedCount else { return nil }
    self.init(trustedSeed: seed)
  }

  /// The key of a seed; nil unless that has exactly 32 bytes. The array is the caller's to wipe.
  public init?(seed: [UInt8]) {
    self.init(seed: SecretBytes(copying: seed))
  }

  /// The key of a long form (seed, then public key), as peerstack stores it; nil unless there are 64 bytes and
  /// the halves belong together. Signing with a foreign public half would give away the secret.
  public init?(secretKey: SecretBytes) {
    guard secretKey.count == Self.secretKeyCount else { return nil }
    let seed = secretKey.withBytes { SecretBytes(copying: $0.extracting(first: Self.seedCount)) }
    self.init(trustedSeed: seed)
    guard self.secretKey == secretKey else { return nil }
  }

  /// The key of a long form whose public half is taken as it is; nil unless there are 64 bytes. Two signatures of one
  /// message under different public halves give away the secret: only for what peerstack itself accepts.
  public init?(uncheckedSecretKey secretKey: SecretBytes) {
    guard secretKey.count == Self.secretKeyCount else { return nil }
    Sodium.start()
    var publicKey = Bytes32()
    secretKey.withBytes { publicKey = Bytes32(span: $0.extracting(droppingFirst: Self.seedCount)) ?? Bytes32() }
    self.secretKey = secretKey
    verifyingKey = VerifyingKey(publicKey)
  }

  private init(trustedSeed seed: SecretBytes) {
    var publicKey = Bytes32()
    secretKey = SecretBytes(count: Self.secretKeyCount) { target in
      publicKey = Bytes32 { publicKey in
        guard let target = target.baseAddress else { return }
        seed.withPointer { _ = crypto_sign_seed_keypair(publicKey, target, $0) }
      }
    }
    verifyingKey = VerifyingKey(publicKey)
  }

  /// The 64-byte signature of `message`; the same message always gives the same bytes.
  public func signature(for message: Span<UInt8>) -> Signature {
    Signature { target in
      message.withUnsafeBufferPointer { input in
        secretKey.withPointer {
          _ = crypto_sign_detached(target, nil, input.baseAddress, UInt64(input.count), $0)
        }
      }
    }
  }

  /// The 64-byte signature of `message`; the same message always gives the same bytes.
  public func signature(for message: [UInt8]) -> Signature {
    signature(for: message.span)
  }

  /// Gives the 32-byte seed in place to `body`.
  public func withSeed<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    try secretKey.withBytes { try body($0.extracting(first: Self.seedCount)) }
  }

  /// Gives the 64-byte long form (seed, then public key) in place to `body`.
  public func withSecretKey64<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    try secretKey.withBytes(body)
  }

  /// The X25519 key that goes with this one. As in peerstack its secret is the seed itself, not the usual
  /// conversion from Ed25519.
  public var boxKey: BoxKey {
    withSeed { BoxKey(trustedSecret: SecretBytes(copying: $0)) }
  }
}
