import CSodium

/// Authenticated encryption with associated data: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).
public enum XChaCha20Poly1305 {
  /// Bytes of a key.
  public static let keyCount = 32
  /// Bytes of a nonce; long enough to be drawn at random.
  public static let nonceCount = 24
  /// Bytes by which a ciphertext is longer than its plaintext.
  public static let overheadCount = 16

  /// What is asked of the functions cannot be done at all.
  public enum ParameterError: Error, Hashable, Sendable {
    /// The key does not have 32 bytes.
    case keyLength(Int)
    /// The nonce does not have 24 bytes.
    case nonceLength(Int)
  }

  /// The ciphertext of `plaintext`, 16 bytes longer than it. A nonce must never be used twice with one key.
  public static func seal(
    _ plaintext: SecretBytes, associatedData: [UInt8], nonce: [UInt8], key: SecretBytes
  ) throws(ParameterError) -> [UInt8] {
    try check(nonce: nonce, key: key)
    Sodium.start()
    let count = plaintext.count + overheadCount
    return [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      guard let start = target.baseAddress else { return }
      plaintext.withPointer { input in
        key.withPointer { key in
          _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
            start, nil, input, UInt64(plaintext.count), associatedData, UInt64(associatedData.count),
            nil, nonce, key)
        }
      }
      initialized = count
    }
  }

  /// The plaintext of `ciphertext`; nil if anything about it, the associated data, nonce or key is not what was
  /// sealed, lengths included.
  public static func open(
    _ ciphertext: [UInt8], associatedData: [UInt8], nonce: [UInt8], key: SecretBytes
  ) -> SecretBytes? {
    guard key.count == keyCount, nonce.count == nonceCount, ciphertext.count >= overheadCount else { return nil }
    var isOpen = false
    let plaintext = SecretBytes(count: ciphertext.count - overheadCount) { target in
      key.withPointer { key in
        isOpen =
          crypto_aead_xchacha20poly1305_ietf_decrypt(
            target.baseAddress, nil, nil, ciphertext, UInt64(ciphertext.count), associatedData,
            UInt64(associatedData.count), nonce, key) == 0
      }
    }
    return isOpen ? plaintext : nil
  }

  private static func check(nonce: [UInt8], key: SecretBytes) throws(ParameterError) {
    guard key.count == keyCount else { throw .keyLength(key.count) }
    guard nonce.count == nonceCount else { throw .nonceLength(nonce.count) }
  }
}
