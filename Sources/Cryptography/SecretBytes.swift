import CSodium

/// Bytes that must not leak: kept between guard pages, locked into memory where the system allows it, read-only
/// once made, and wiped when the last reference goes.
///
/// There is no way to print or encode them, and equality takes the same time whatever the contents.
public final class SecretBytes: Sendable {
  /// The number of bytes.
  public let count: Int

  // Safe to share between threads: the memory belongs to this object alone, is written only inside `init` (before
  // the object can be shared) and is read-only pages from then on until `deinit`.
  private nonisolated(unsafe) let memory: UnsafeMutableRawPointer

  /// Secret memory of `count` bytes, written once by `fill`. Stops the program when the system has no memory left,
  /// as every other allocation in Swift does.
  init(count: Int, filledBy fill: (UnsafeMutableBufferPointer<UInt8>) -> Void) {
    precondition(count >= 0, "a count of secret bytes cannot be negative")
    Sodium.start()
    guard let memory = sodium_malloc(max(count, 1)) else {
      preconditionFailure("out of memory for \(count) secret bytes")
    }
    self.count = count
    self.memory = memory
    fill(UnsafeMutableBufferPointer(start: memory.bindMemory(to: UInt8.self, capacity: count), count: count))
    sodium_mprotect_readonly(memory)
  }

  deinit {
    // sodium_free lifts the protection and overwrites the memory before it gives it back.
    sodium_free(memory)
  }

  /// Copies `bytes`. The source is the caller's to wipe.
  public convenience init(copying bytes: Span<UInt8>) {
    self.init(count: bytes.count) { target in
      bytes.withUnsafeBufferPointer { _ = target.update(fromContentsOf: $0) }
    }
  }

  /// Copies `bytes`. The source is the caller's to wipe.
  public convenience init(copying bytes: [UInt8]) {
    self.init(copying: bytes.span)
  }

  /// Moves `bytes` here: the array is overwritten with zeros and left empty. Copies that were made of it before are
  /// not reached.
  public convenience init(wiping bytes: inout [UInt8]) {
    self.init(copying: bytes.span)
    bytes.withUnsafeMutableBytes { buffer in
      if let start = buffer.baseAddress { sodium_memzero(start, buffer.count) }
    }
    bytes = []
  }

  /// `count` unpredictable bytes.
  public static func random(count: Int) -> SecretBytes {
    SecretBytes(count: count) { target in
      if let start = target.baseAddress { randombytes_buf(start, target.count) }
    }
  }

  /// Gives the bytes in place to `body`. Copying them out gives up their protection.
  public func withBytes<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    let bytes = UnsafeBufferPointer(
      start: UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)), count: count)
    return try body(bytes.span)
  }

  func withPointer<Result>(_ body: (UnsafePointer<UInt8>) throws -> Result) rethrows -> Result {
    try body(UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)))
  }
}

extension SecretBytes: Equatable {
  /// Equality in a time that depends on the lengths only.
  public static func == (left: SecretBytes, right: SecretBytes) -> Bool {
    left.count == right.count && sodium_memcmp(left.memory, right.memory, left.count) == 0
  }
}

extension SecretBytes: CustomStringConvertible, CustomReflectable {
  /// The size only.
  public var description: String { "SecretBytes(\(count) bytes, redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
