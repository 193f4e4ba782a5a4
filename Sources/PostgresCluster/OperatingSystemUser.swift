import Glibc

/// A user of the operating system.
struct OperatingSystemUser: Hashable {
  let name: String
  let userID: uid_t
  let groupID: gid_t

  private static let bufferBytes = 16_384

  /// Who this process is.
  static func current() -> OperatingSystemUser {
    withID(geteuid()) ?? OperatingSystemUser(name: "\(geteuid())", userID: geteuid(), groupID: getegid())
  }

  static func named(_ name: String) -> OperatingSystemUser? {
    find { entry, buffer in
      var found: UnsafeMutablePointer<passwd>?
      return getpwnam_r(name, entry, buffer, bufferBytes, &found) == 0 && found != nil
    }
  }

  static func withID(_ id: uid_t) -> OperatingSystemUser? {
    find { entry, buffer in
      var found: UnsafeMutablePointer<passwd>?
      return getpwuid_r(id, entry, buffer, bufferBytes, &found) == 0 && found != nil
    }
  }

  private static func find(
    _ lookUp: (UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>) -> Bool
  ) -> OperatingSystemUser? {
    var entry = passwd()
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bufferBytes) { buffer in
      guard let start = buffer.baseAddress, lookUp(&entry, start), let name = entry.pw_name else { return nil }
      return OperatingSystemUser(name: String(cString: name), userID: entry.pw_uid, groupID: entry.pw_gid)
    }
  }
}
