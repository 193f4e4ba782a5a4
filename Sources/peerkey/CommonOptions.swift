import ArgumentParser
import Cryptography
import Glibc
import KeyRecords
import Keystore
import RegistryConnection

/// Settings that are not on the command line come from the environment.
enum Settings {
  /// A flag's value, or the environment's; an empty variable counts as absent.
  static func text(_ flag: String?, _ variable: String) -> String? {
    if let flag { return flag }
    guard let value = getenv(variable).map({ String(cString: $0) }), !value.isEmpty else { return nil }
    return value
  }

  /// Where a keystore lies unless said.
  static var defaultKeystore: String {
    let home = text(nil, "HOME") ?? "."
    return (text(nil, "XDG_DATA_HOME") ?? "\(home)/.local/share") + "/peerkey/keystore.json"
  }
}

/// Which registrar, and which app.
struct RegistrarOptions: ParsableArguments {
  @Option(
    name: .customLong("registrar"),
    help: ArgumentHelp(
      "The registrar's address. [env: PEERKEY_REGISTRAR; default: the one the keystore noted]", valueName: "url"))
  var registrarFlag: String?

  @Option(
    name: .customLong("app"),
    help: ArgumentHelp(
      "The app's id. [env: PEERKEY_APP; default: the keystore's, if it has only one]", valueName: "id"))
  var appFlag: String?

  @Flag(
    name: .customLong("plain-http"),
    help: "Take an http:// address that is not this machine's: on the way it can be read, withheld and replayed.")
  var isPlaintextAllowed = false
}

extension RegistrarOptions {
  /// The app that was named.
  func namedApp() throws -> AppID? {
    guard let text = Settings.text(appFlag, "PEERKEY_APP") else { return nil }
    guard let app = AppID(text) else { throw ValidationError("\"\(text)\" is no app id: give one like chat.example") }
    return app
  }

  /// The app, or the only one of a keystore.
  func app(of keystore: SealedKeystore? = nil) throws -> AppID {
    if let app = try namedApp() { return app }
    if let keystore, keystore.apps.count == 1 { return keystore.apps[0] }
    throw ValidationError("which app: give --app, or set PEERKEY_APP")
  }

  /// The registrar that was named, or the first that a keystore noted for an app.
  func address(noted: String? = nil) throws -> RegistrarAddress {
    guard let text = Settings.text(registrarFlag, "PEERKEY_REGISTRAR") ?? noted else {
      throw ValidationError("which registrar: give --registrar, or set PEERKEY_REGISTRAR")
    }
    return try address(text)
  }

  /// Reads an address.
  func address(_ text: String) throws -> RegistrarAddress {
    do throws(RegistrarAddress.Fault) {
      return try RegistrarAddress(text, isPlaintextAllowed: isPlaintextAllowed)
    } catch {
      throw ValidationError("no address of a registrar: \(error) (--registrar, PEERKEY_REGISTRAR; see --plain-http)")
    }
  }
}

/// Which keystore, and what opens it.
struct KeystoreOptions: ParsableArguments {
  @Option(
    name: .customLong("keystore"),
    help: ArgumentHelp(
      "The keystore file. [env: PEERKEY_KEYSTORE; default: ~/.local/share/peerkey/keystore.json]", valueName: "file"))
  var keystoreFlag: String?

  @Option(
    name: .customLong("password-file"),
    help: ArgumentHelp(
      "A file with the keystore's password. [env: PEERKEY_PASSWORD_FILE; default: ask on the terminal]",
      valueName: "file"))
  var passwordFileFlag: String?

  @Option(
    name: .customLong("password-memory"),
    help: ArgumentHelp(
      """
      Memory that a guess of the password costs, in MiB; weaker keystores are strengthened to it. \
      [env: PEERKEY_PASSWORD_MEMORY; default: 256]
      """, valueName: "MiB"))
  var passwordMemoryFlag: Int?

  var path: String { Settings.text(keystoreFlag, "PEERKEY_KEYSTORE") ?? Settings.defaultKeystore }

  var file: KeystoreFile { KeystoreFile(path: path) }

  /// What a password slot costs.
  func parameters() throws -> Argon2idParameters {
    let text = Settings.text(passwordMemoryFlag.map(String.init), "PEERKEY_PASSWORD_MEMORY")
    guard let text else { return .standard }
    guard let memory = UInt32(text), (16...2_048).contains(memory) else {
      throw ValidationError("\"\(text)\" is no amount of memory for a password: give 16 to 2048 (MiB)")
    }
    var parameters = Argon2idParameters.standard
    parameters.memoryKiB = memory * 1_024
    return parameters
  }

  /// The password that opens the keystore.
  func password() throws -> Credential {
    guard let path = Settings.text(passwordFileFlag, "PEERKEY_PASSWORD_FILE") else {
      return .password(try Terminal.secret("password of \(path): ", else: "give --password-file"))
    }
    return .password(try SecretFile.line(path))
  }

  /// A password that is chosen now, which is typed twice on a terminal.
  func newPassword() throws -> Credential {
    if let path = Settings.text(passwordFileFlag, "PEERKEY_PASSWORD_FILE") {
      return .password(try SecretFile.line(path))
    }
    return try Passwd.askNewPassword()
  }

  /// Whether a password is at hand without asking for it.
  var hasPasswordFile: Bool { Settings.text(passwordFileFlag, "PEERKEY_PASSWORD_FILE") != nil }

  /// The keystore, to sign with.
  func unlock(app: AppID? = nil) throws -> OpenKeystore {
    try file.unlock(with: try password(), app: app, strengtheningTo: try parameters())
  }

  /// The keystore, to change it. Somebody else's change is waited for.
  func openSession() throws -> KeystoreSession {
    // Before the password is asked for.
    _ = try file.read()
    return try file.openSession(
      with: try password(), wait: Self.longestWait, strengtheningTo: try parameters())
  }

  private static let longestWait = Duration.seconds(10)
}

/// What every command takes.
struct CommonOptions: ParsableArguments {
  @OptionGroup var service: RegistrarOptions
  @OptionGroup var store: KeystoreOptions
  @OptionGroup var cache: CacheOptions

  @Flag(help: "Print one line of JSON.") var json = false

  /// Where what registrars said is kept.
  var cachePlace: CachePlace { cache.place(beside: store) }

  /// The app that was named, or the only one of a keystore.
  func app(of keystore: SealedKeystore? = nil) throws -> AppID { try service.app(of: keystore) }

  /// The registrar that was named, or the first that a keystore noted for an app.
  func registrar(of keystore: SealedKeystore? = nil, for app: AppID) throws -> RegistrarAddress {
    try service.address(noted: keystore?.registrars(of: app).first)
  }
}
