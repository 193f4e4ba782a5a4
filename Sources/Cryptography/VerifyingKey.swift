import CSodium

/// An Ed25519 public key, 32 bytes.
///
/// Verdicts are libsodium's: S is reduced, keys and R are canonical and not of small order, and
/// `[S]B − [h]A` must encode to exactly R (protocol §1.2).
public struct VerifyingKey: Hashable, Sendable {
  /// The number of bytes of every key.
  public static let count = Bytes32.count

  /// The key as it was given.
  public let bytes32: Bytes32

  /// Wraps 32 bytes unchecked: see ``isValidPoint``.
  public init(_ bytes: Bytes32) {
    bytes32 = bytes
  }

  /// Copies `bytes`; nil unless there are exactly 32. Nothing else is checked: see ``isValidPoint``.
  public init?(_ bytes: [UInt8]) {
    guard let bytes = Bytes32(bytes) else { return nil }
    bytes32 = bytes
  }

  /// Copies `bytes`; nil unless there are exactly 32. Nothing else is checked: see ``isValidPoint``.
  public init?(_ bytes: some Collection<UInt8>) {
    self.init(Array(bytes))
  }

  /// Copies `span`; nil unless it holds exactly 32 bytes. Nothing else is checked: see ``isValidPoint``.
  public init?(span: Span<UInt8>) {
    guard let bytes = Bytes32(span: span) else { return nil }
    bytes32 = bytes
  }

  /// The key in canonical base64, as peerstack spells it, whose point is valid (see ``isValidPoint``); nil for what is none.
  public init?(base64 text: String) {
    guard let bytes = Base64.decodeCanonical(text), let bytes32 = Bytes32(bytes) else { return nil }
    self.bytes32 = bytes32
    guard isValidPoint else { return nil }
  }

  /// The 32 bytes as an array.
  public var bytes: [UInt8] { bytes32.bytes }

  /// Whether the key is a canonical point of the prime-order subgroup (protocol §1.2). Costs about as much as
  /// half a verification.
  public var isValidPoint: Bool {
    Sodium.start()
    return bytes32.withPointer { crypto_core_ed25519_is_valid_point($0) == 1 }
  }

  /// Whether `signature` is this key's for `message`.
  public func isValidSignature(_ signature: Signature, for message: Span<UInt8>) -> Bool {
    Sodium.start()
    return message.withUnsafeBufferPointer { input in
      signature.withPointer { signature in
        bytes32.withPointer { key in
          crypto_sign_verify_detached(signature, input.baseAddress, UInt64(input.count), key) == 0
        }
      }
    }
  }

  /// Whether `signature` is this key's for `message`.
  public func isValidSignature(_ signature: Signature, for message: [UInt8]) -> Bool {
    isValidSignature(signature, for: message.span)
  }

  /// The message of an attached signature (64 bytes of signature, then the message), or nil if it does not verify.
  public func open(signedMessage: Span<UInt8>) -> [UInt8]? {
    guard signedMessage.count >= Signature.count,
      let signature = Signature(span: signedMessage.extracting(first: Signature.count))
    else { return nil }
    let message = signedMessage.extracting(droppingFirst: Signature.count)
    guard isValidSignature(signature, for: message) else { return nil }
    return message.withUnsafeBufferPointer { Array($0) }
  }

  /// The message of an attached signature (64 bytes of signature, then the message), or nil if it does not verify.
  public func open(signedMessage: [UInt8]) -> [UInt8]? {
    open(signedMessage: signedMessage.span)
  }
}
