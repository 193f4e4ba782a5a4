/// The forms of names that only keystores have.
enum Names {
  /// Refuses what cannot be an address: whether it is a good one is for those who connect to it.
  static func checkRegistrar(_ url: String) throws(KeystoreError) {
    guard (1...KeystoreLimits.registrarBytes).contains(url.utf8.count), url.utf8.allSatisfy({ 0x21...0x7e ~= $0 })
    else { throw .invalidRegistrar(url) }
  }

  static func checkSlot(_ name: String) throws(KeystoreError) {
    guard (1...KeystoreLimits.slotNameLength).contains(name.utf8.count),
      name.utf8.allSatisfy({ isLowercaseAlphanumeric($0) || $0 == UInt8(ascii: "-") })
    else { throw .invalidSlotName(name) }
  }

  private static func isLowercaseAlphanumeric(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 26
  }
}
