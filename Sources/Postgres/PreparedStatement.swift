/// A statement with parameters `$1`, `$2`, …, which a connection prepares when it first needs it.
///
/// Make each once, as a `static let`. The types of the parameters are those that Postgres finds in the statement;
/// where it cannot know, write a cast (`$1::bigint`). One name stands for one text: a connection refuses the second.
public struct PreparedStatement: Sendable, Hashable {
  /// The longest name, in bytes: Postgres cuts longer identifiers.
  public static let maximumNameBytes = 63

  /// Its name on the connection and in errors.
  public let name: String
  /// Its text: one statement.
  public let sql: String

  /// A statement of that name.
  ///
  /// - Precondition: the name has 1 to 63 bytes.
  public init(_ name: StaticString, _ sql: String) {
    self.name = name.description
    self.sql = sql
    precondition((1...Self.maximumNameBytes).contains(self.name.utf8.count))
  }
}
