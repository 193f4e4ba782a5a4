import Cryptography
import Glibc
import KeyRecords
import Registry
import RegistryAPI

/// Creates the apps that `serve --app` names.
struct AppSetup {
  let dataDirectory: String

  func create(_ apps: [AppID], adminKeyFile: String?, in registry: Registry) async throws {
    for app in apps {
      if try await registry.app(app) != nil { continue }
      let key = try adminKey(of: app, file: adminKeyFile)
      guard let admins = Admins(keys: [key.verifyingKey], threshold: 1) else { continue }
      let now = SystemTime.milliseconds
      let draft = PolicyRules.standard(admins: admins, created: now).draft(app: app, after: nil, now: now)
      guard let text = draft.signed(approvedBy: [key]) else { continue }
      try Self.report(try await registry.createApp(text, id: app), app)
    }
  }

  /// Says what became of a first policy. An app that another instance created meanwhile is as good.
  static func report(_ outcome: SubmissionOutcome, _ app: AppID) throws {
    switch outcome {
    case .created, .repeated: return
    case .refused(let refusal) where refusal.code == .staleHead: return
    case .refused(let refusal): throw CommandFailure("cannot create \(app): \(Problem(refusal).detail)")
    }
  }

  private func adminKey(of app: AppID, file: String?) throws -> SigningKey {
    if let file { return try AdminKeyFile.read(file) }
    let path = "\(dataDirectory)/admin-\(app).json"
    if access(path, F_OK) == 0 { return try AdminKeyFile.read(path) }
    try TextFile.makeDirectory(dataDirectory)
    let key = SigningKey.generate()
    try AdminKeyFile.write(key, to: path)
    TextFile.print(Array("made the admin key of \(app) in \(path): keep a copy in a safe place".utf8))
    return key
  }
}

enum SystemTime {
  /// The time of day.
  static var milliseconds: Milliseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(time.tv_sec) * 1_000 + Milliseconds(time.tv_nsec) / 1_000_000
  }
}
