import PeerstackFormat

/// The forms of names in a keystore.
enum Names {
  private static let idCount = 25
  private static let oldIDCount = 32
  private static let maxAppCount = 63

  /// Refuses what is no user id (protocol §2.2).
  static func checkID(_ id: String) throws(KeystoreError) {
    let bytes = id.utf8
    let isID =
      (bytes.count == idCount && bytes.allSatisfy(isLowercaseAlphanumeric))
      || (bytes.count == oldIDCount
        && bytes.allSatisfy { isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")) ~= $0 })
    guard isID else { throw .invalidID(id) }
  }

  /// Refuses what is no app id (protocol §2.1).
  static func checkApp(_ app: String) throws(KeystoreError) {
    let bytes = app.utf8
    guard (1...maxAppCount).contains(bytes.count), let first = bytes.first, let last = bytes.last,
      isLowercaseAlphanumeric(first), isLowercaseAlphanumeric(last),
      bytes.allSatisfy({ isLowercaseAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") })
    else { throw .invalidApp(app) }
  }

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
    isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
  }

  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
}
