import CSodium

/// Bytes from the operating system's generator.
public enum Randomness {
  /// `count` unpredictable bytes; an empty array for a count of 0.
  public static func bytes(_ count: Int) -> [UInt8] {
    precondition(count >= 0, "a count of random bytes cannot be negative")
    Sodium.start()
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let start = buffer.baseAddress, count > 0 { randombytes_buf(start, count) }
      initialized = count
    }
  }
}
