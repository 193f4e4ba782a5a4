import CSodium

/// An X25519 secret key for authenticated boxes: XSalsa20-Poly1305, as `nacl.box` and `crypto_box_easy`.
public struct BoxKey: Sendable {
  /// Bytes of a secret.
  public static let secretCount = 32
  /// Bytes of a nonce.
  public static let nonceCount = 24
  /// Bytes by which a box is longer than what is in it.
  public static let overheadCount = 16

  /// The public half.
  public let publicKey: PublicBoxKey

  private let secret: SecretBytes

  /// A new key from the operating system's randomness.
  public static func generate() -> BoxKey {
    BoxKey(trustedSecret: .random(count: secretCount))
  }

  /// The key with this secret; nil unless that has exactly 32 bytes.
  public init?(secret: SecretBytes) {
    guard secret.count == Self.secretCount else { return nil }
    self.init(trustedSecret: secret)
  }

  init(trustedSecret secret: SecretBytes) {
    Sodium.start()
    self.secret = secret
    publicKey = PublicBoxKey(
      Bytes32 { target in
        secret.withPointer { _ = crypto_scalarmult_base(target, $0) }
      })
  }

  /// The box of `plaintext` for `recipient`, 16 bytes longer than it; nil unless the nonce has exactly 24 bytes and
  /// the recipient's key is not of small order. A nonce must never be used twice between two keys.
  public func seal(_ plaintext: Span<UInt8>, nonce: [UInt8], for recipient: PublicBoxKey) -> [UInt8]? {
    guard nonce.count == Self.nonceCount, plaintext.count <= Int.max - Self.overheadCount else { return nil }
    let count = plaintext.count + Self.overheadCount
    var isSealed = false
    let box = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      guard let start = target.baseAddress else { return }
      isSealed = plaintext.withUnsafeBufferPointer { input in
        recipient.bytes32.withPointer { theirs in
          secret.withPointer { ours in
            crypto_box_easy(start, input.baseAddress, UInt64(input.count), nonce, theirs, ours) == 0
          }
        }
      }
      initialized = isSealed ? count : 0
    }
    return isSealed ? box : nil
  }

  /// The box of `plaintext` for `recipient`; see the overload for spans.
  public func seal(_ plaintext: [UInt8], nonce: [UInt8], for recipient: PublicBoxKey) -> [UInt8]? {
    seal(plaintext.span, nonce: nonce, for: recipient)
  }

  /// What is in a box from `sender`; nil if it was changed, is not for this key, or a length is wrong.
  public func open(_ box: Span<UInt8>, nonce: [UInt8], from sender: PublicBoxKey) -> [UInt8]? {
    guard nonce.count == Self.nonceCount, box.count >= Self.overheadCount else { return nil }
    let count = box.count - Self.overheadCount
    var isOpen = false
    // One byte more than needed, so that C gets a place to write to also when the box is empty.
    let plaintext = [UInt8](unsafeUninitializedCapacity: count + 1) { target, initialized in
      guard let start = target.baseAddress else { return }
      isOpen = box.withUnsafeBufferPointer { input in
        guard let sealed = input.baseAddress else { return false }
        return sender.bytes32.withPointer { theirs in
          secret.withPointer { ours in
            crypto_box_open_easy(start, sealed, UInt64(input.count), nonce, theirs, ours) == 0
          }
        }
      }
      initialized = isOpen ? count : 0
    }
    return isOpen ? plaintext : nil
  }

  /// What is in a box from `sender`; see the overload for spans.
  public func open(_ box: [UInt8], nonce: [UInt8], from sender: PublicBoxKey) -> [UInt8]? {
    open(box.span, nonce: nonce, from: sender)
  }
}
