import ArgumentParser
import Glibc

/// Settings that are not on the command line come from the environment; what is in neither has a default.
enum Settings {
  /// A flag's value, or the environment's; an empty variable counts as absent.
  static func text(_ flag: String?, _ variable: String) -> String? {
    if let flag { return flag }
    guard let value = getenv(variable).map({ String(cString: $0) }), !value.isEmpty else { return nil }
    return value
  }

  /// As ``text(_:_:)``, for a list whose elements are separated by commas in the environment.
  static func list(_ flags: [String], _ variable: String) -> [String] {
    if !flags.isEmpty { return flags }
    return text(nil, variable)?.split(separator: ",").map { String($0.drop { $0 == " " }) } ?? []
  }

  /// As ``text(_:_:)``, for a number within a range.
  static func integer(_ flag: Int?, _ variable: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
    let number: Int
    if let flag {
      number = flag
    } else if let text = text(nil, variable) {
      guard let parsed = Int(text) else { throw ValidationError("\(variable) is \"\(text)\": give a number") }
      number = parsed
    } else {
      return value
    }
    guard range.contains(number) else {
      throw ValidationError("\(number) is not within \(range.lowerBound)…\(range.upperBound) (\(variable))")
    }
    return number
  }

  /// Where data lie unless said: as root below /var/lib, else below the user's home.
  static var defaultDataDirectory: String {
    if geteuid() == 0 { return "/var/lib/peerstack-registrar" }
    let home = text(nil, "HOME") ?? "."
    return (text(nil, "XDG_DATA_HOME") ?? "\(home)/.local/share") + "/peerstack-registrar"
  }
}
