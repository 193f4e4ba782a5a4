import ArgumentParser
import CommandArguments
import KeyRecords
import Logging
import Registry
import RegistryAPI
import RegistryServer

/// What the server serves, and how much memory it takes for that.
struct ServiceOptions: ParsableArguments {
  @Option(
    name: .customLong("app"),
    help: ArgumentHelp(
      """
      An app to create with the default policy if it is not there; may be repeated. Its admin key is made in \
      DIR/admin-ID.json unless --admin-key names one. [env: REGISTRAR_APPS, separated by commas]
      """, valueName: "id"))
  var appFlags: [String] = []

  @Option(
    name: .customLong("admin-key"),
    help: ArgumentHelp("The admin key of apps that --app creates. [env: REGISTRAR_ADMIN_KEY]", valueName: "file"))
  var adminKeyFlag: String?

  @Option(
    name: .customLong("webhook"),
    help: ArgumentHelp(
      """
      Where an app's accepted records are delivered, as APP=URL; may be repeated. See docs/webhooks.md. \
      [env: REGISTRAR_WEBHOOKS, separated by commas; default: none]
      """, valueName: "app=url"))
  var webhookFlags: [String] = []

  @Flag(
    name: .customLong("migrate"),
    help: """
      Bring the schema of a named database up to date at the start. The private cluster's always is. \
      [env: REGISTRAR_MIGRATE=1]
      """)
  var migrateFlag = false

  @Option(
    name: .customLong("database-wait"),
    help: ArgumentHelp(
      """
      How long to wait at the start for a named database that does not answer, as 45s or 5m; 0: not at all. \
      [env: REGISTRAR_DATABASE_WAIT; default: 30s]
      """, valueName: "span"))
  var waitFlag: String?

  @Option(
    name: .customLong("cache-mib"),
    help: ArgumentHelp(
      "Memory for answers, in MiB; 0 turns it off. [env: REGISTRAR_CACHE_MIB; default: 256]", valueName: "n"))
  var cacheFlag: Int?

  @Option(
    name: .customLong("log-level"),
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical. [env: REGISTRAR_LOG_LEVEL; default: notice]",
      valueName: "level"))
  var levelFlag: String?

  func appIDs() throws -> [AppID] {
    try Settings.list(appFlags, "REGISTRAR_APPS").map { text in
      guard let app = AppID(text) else {
        throw ValidationError("\"\(text)\" is no app id: use lower-case letters, digits, dots and dashes")
      }
      return app
    }
  }

  func adminKeyFile() -> String? { Settings.text(adminKeyFlag, "REGISTRAR_ADMIN_KEY") }

  func migratesSchema() -> Bool { migrateFlag || Settings.text(nil, "REGISTRAR_MIGRATE") == "1" }

  func databaseWait() throws -> Milliseconds {
    guard let text = Settings.text(waitFlag, "REGISTRAR_DATABASE_WAIT") else { return DatabaseWait.standard }
    guard let span = TimeWords.span(written: text), span <= DatabaseWait.longest else {
      throw ValidationError("\"\(text)\" is no time to wait for the database: write it as 45s or 5m, 24h at most, or 0")
    }
    return span
  }

  func memoryBytes() throws -> Int {
    try Settings.integer(cacheFlag, "REGISTRAR_CACHE_MIB", default: 256, in: 0...1_048_576) << 20
  }

  func level() throws -> Logger.Level {
    let text = Settings.text(levelFlag, "REGISTRAR_LOG_LEVEL") ?? "notice"
    guard let level = Logger.Level(rawValue: text) else { throw ValidationError("\"\(text)\" is no log level") }
    return level
  }

  func webhooks() throws -> [AppID: WebhookURL] {
    var webhooks: [AppID: WebhookURL] = [:]
    for text in Settings.list(webhookFlags, "REGISTRAR_WEBHOOKS") {
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let app = AppID(parts[0]), let url = WebhookURL(String(parts[1])) else {
        throw ValidationError("\"\(text)\" is no webhook: write APP=URL, as chat.example=https://hooks.example/keys")
      }
      guard webhooks.updateValue(url, forKey: app) == nil else {
        throw ValidationError("\(app) has two webhooks: give it one")
      }
    }
    return webhooks
  }

  func apply(to configuration: inout RegistryServerConfiguration) throws {
    configuration.registry.memoryBytes = try memoryBytes()
    configuration.webhooks = try webhooks()
  }
}
