import ArgumentParser
import Glibc
import KeyRecords
import RegistryCache
import RegistryClient

/// Where what registrars said is kept.
struct CacheOptions: ParsableArguments {
  @Option(
    name: .customLong("cache"),
    help: ArgumentHelp(
      """
      The file with what registrars said before, and what was pinned. \
      [env: PEERKEY_CACHE; default: registry.sqlite beside the keystore]
      """, valueName: "file"))
  var fileFlag: String?

  @Flag(name: .customLong("no-cache"), help: "Keep nothing, and remember nothing: no pins of earlier commands either.")
  var isOff = false

  private static let fileName = "registry.sqlite"

  func validate() throws {
    guard fileFlag == nil || !isOff else { throw ValidationError("--cache or --no-cache: give one of them") }
  }

  /// Where it is.
  func place(beside keystore: KeystoreOptions) -> CachePlace {
    if isOff { return .memory }
    if let named = Settings.text(fileFlag, "PEERKEY_CACHE") { return .file(named, isNamed: true) }
    let folder = keystore.path.lastIndex(of: "/").map { String(keystore.path[...$0]) } ?? ""
    return .file(folder + Self.fileName, isNamed: false)
  }
}

/// Whether the registrar is asked.
struct OfflineOptions: ParsableArguments {
  @Flag(name: .customLong("offline"), help: "Ask nobody: what the registrar said before decides, if it is not too old.")
  var isOffline = false
}

/// Where what registrars said is kept.
enum CachePlace: Sendable {
  /// Until the command ends.
  case memory
  /// In a file; whether somebody has asked for this one.
  case file(String, isNamed: Bool)

  /// Opens it. Where there is no file, and nobody has named one, it is done without if it cannot be made; one that is
  /// there and cannot be used is a failure, because its pins would be passed over.
  func open(_ app: AppID) throws -> CommandStore {
    guard case .file(let path, let isNamed) = self else { return CommandStore(store: MemoryStore(), file: nil) }
    let isThere = access(path, F_OK) == 0
    do {
      if !isThere { try TextFile.makeFolder(of: path) }
      let file = try CacheFile(path: path)
      return CommandStore(store: file.store(of: app), file: file)
    } catch {
      guard !isThere && !isNamed else { throw CommandFailure("\(error) (or --no-cache)", code: "cache") }
      Console.say("note: nothing is kept of this command: \(error)")
      return CommandStore(store: MemoryStore(), file: nil)
    }
  }

  /// Opens the file of a cache that must be there to be of use; nil if there is none yet.
  func openFile(_ app: AppID) throws -> AppCache? {
    guard case .file(let path, _) = self else {
      throw ValidationError("the quarantine is in the cache: leave --no-cache out")
    }
    guard access(path, F_OK) == 0 else { return nil }
    do throws(CacheFileError) {
      return try CacheFile(path: path).store(of: app)
    } catch {
      throw CommandFailure(error.description, code: "cache")
    }
  }
}

/// What is kept, for the time of one command.
struct CommandStore: Sendable {
  let store: any RegistryStore
  private let file: CacheFile?

  init(store: any RegistryStore, file: CacheFile?) {
    self.store = store
    self.file = file
  }

  /// Whether it lasts longer than the command.
  var isLasting: Bool { file != nil }

  /// Lets go of the file, which is whole then without its log.
  func close() { try? file?.close() }
}

/// A registrar that is not asked.
struct OfflineTransport: RegistryTransport {
  func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    throw .unreachable(Self.reason)
  }

  func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    throw .unreachable(Self.reason)
  }

  private static let reason = "--offline: nobody is asked"
}
