/// The steps of the schema, embedded in the program. What they may do is in `Migrations/README.md`.
public enum Migrations {
  /// Names and SQL texts, in the order in which they are applied.
  public static let all: [(name: String, sql: [UInt8])] = [
    ("V0001_registry", PackageResources.V0001_registry_sql),
    ("V0002_request_nonces", PackageResources.V0002_request_nonces_sql),
    ("V0003_webhook_cursors", PackageResources.V0003_webhook_cursors_sql),
  ]
}
