import Postgres

/// The SQL of ``AppCheck``.
extension Statements {
  /// Entries of users after a user and an index, at most `$4`.
  static let entriesByUser = PreparedStatement(
    "entries_by_user",
    """
    select \(entryColumns) from entries e
    where e.app = $1 and e.subject is not null and (e.subject, e.index) > ($2::text, $3::bigint)
    order by e.subject, e.index limit $4
    """)

  static let users = PreparedStatement(
    "users", "select subject, entry_count, last_index from users where app = $1 and subject = any($2)")

  static let usedKeysWithIndex = PreparedStatement(
    "used_keys_with_index",
    "select public_key, subject, index from used_keys where app = $1 and public_key = any($2)")

  static let appRow = PreparedStatement(
    "app_row", "select next_index, last_accepted, user_count, policy_index from apps where app = $1")

  static let entrySums = PreparedStatement(
    "entry_sums",
    """
    select count(*), coalesce(max(index), -1), coalesce(max(accepted), 0) from entries where app = $1
    """)

  /// Entries that were accepted before the one before them, the first few.
  static let unorderedEntries = PreparedStatement(
    "unordered_entries",
    """
    select index from (
      select index, accepted, lag(accepted) over (order by index) as before from entries where app = $1) as e
    where accepted < before order by index limit 10
    """)

  static let derivedSums = PreparedStatement(
    "derived_sums",
    """
    select (select count(*) from users where app = $1), (select count(*) from used_keys where app = $1)
    """)

  /// Nonces that point at nothing that could have used them, the first few.
  static let strayNonces = PreparedStatement(
    "stray_nonces",
    """
    select n.index from used_nonces n left join entries e on e.app = n.app and e.index = n.index
    where n.app = $1 and (e.subject is null or e.rank is not null) limit 10
    """)
}
