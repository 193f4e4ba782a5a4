import Postgres

/// The SQL of the service. Names say what is asked; parameters are described where they are not plain.
enum Statements {
  /// What ``StoredEntry/init(_:from:)`` reads.
  static let entryColumns = "e.index, e.accepted, e.effective, e.rank, e.subject, e.hash, e.record"

  /// The channel that tells other instances of a commit; the payload is an app and its latest index.
  static let channel = "peerstack_registrar"

  // MARK: The commit path

  /// The lock that orders all instances: who has it is alone in writing to the app.
  static let lockApp = PreparedStatement(
    "lock_app", "select next_index, last_accepted, user_count from apps where app = $1 for update")

  // `offset 0` has Postgres go by the index for each element, however few rows it believes that there are: a plan stays
  // while the table grows (``RegistryCore``).
  static let usedKeys = PreparedStatement(
    "used_keys",
    """
    select e.public_key, e.subject from unnest($2::bytea[]) as u (public_key) cross join lateral (
      select * from used_keys k where k.app = $1 and k.public_key = u.public_key offset 0) e
    """)

  static let usedNonces = PreparedStatement(
    "used_nonces",
    """
    select e.nonce from unnest($2::bytea[]) as u (nonce) cross join lateral (
      select * from used_nonces n where n.app = $1 and n.nonce = u.nonce offset 0) e
    """)

  static let insertEntries = PreparedStatement(
    "insert_entries",
    """
    insert into entries (app, index, accepted, effective, rank, subject, hash, record)
    select $1::text, n.index, n.accepted, n.effective, n.rank::smallint, n.subject, n.hash, n.record
    from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bytea[], $8::bytea[])
      as n (index, accepted, effective, rank, subject, hash, record)
    """)

  static let insertUsedKeys = PreparedStatement(
    "insert_used_keys",
    """
    insert into used_keys (app, public_key, subject, index)
    select $1::text, n.public_key, n.subject, n.index
    from unnest($2::bytea[], $3::text[], $4::bigint[]) as n (public_key, subject, index)
    """)

  static let insertUsedNonces = PreparedStatement(
    "insert_used_nonces",
    """
    insert into used_nonces (app, nonce, index)
    select $1::text, n.nonce, n.index from unnest($2::bytea[], $3::bigint[]) as n (nonce, index)
    """)

  static let upsertUsers = PreparedStatement(
    "upsert_users",
    """
    insert into users (app, subject, entry_count, last_index)
    select $1::text, n.subject, n.entry_count, n.last_index
    from unnest($2::text[], $3::bigint[], $4::bigint[]) as n (subject, entry_count, last_index)
    on conflict (app, subject) do update set entry_count = excluded.entry_count, last_index = excluded.last_index
    """)

  static let updateApp = PreparedStatement(
    "update_app",
    """
    update apps set next_index = $2, last_accepted = $3, user_count = $4, policy_index = coalesce($5, policy_index)
    where app = $1
    """)

  static let notify = PreparedStatement("notify", "select pg_notify('\(channel)', $1)")

  /// Makes room for an app whose first policy comes in the same transaction.
  static let insertApp = PreparedStatement(
    "insert_app",
    """
    insert into apps (app, next_index, last_accepted, user_count, policy_index, created) values ($1, 0, 0, 0, 0, $2)
    on conflict (app) do nothing
    """)

  static let policies = PreparedStatement(
    "policies",
    "select \(entryColumns) from entries e where e.app = $1 and e.subject is null order by e.index")

  // MARK: Reading

  /// All entries of some users, and how far the app and its policies are, of one moment. One row without entry where
  /// none of them has any; no row where there is no app.
  static let readUsers = PreparedStatement(
    "read_users",
    """
    select a.policy_index, \(entryColumns)
    from apps a left join lateral (
      select n.* from unnest($2::text[]) as u (subject) cross join lateral (
        select * from entries f where f.app = a.app and f.subject = u.subject offset 0) n) e on true
    where a.app = $1 order by e.subject, e.index
    """)

  /// The entries of some users, for who holds the lock.
  static let histories = PreparedStatement(
    "histories",
    """
    select \(entryColumns) from unnest($2::text[]) as u (subject) cross join lateral (
      select * from entries f where f.app = $1 and f.subject = u.subject offset 0) e
    order by e.subject, e.index
    """)

  /// Entries after an index, at most `$3`, for who holds the lock.
  static let entriesAfter = PreparedStatement(
    "entries_after",
    "select \(entryColumns) from entries e where e.app = $1 and e.index > $2 order by e.index limit $3")

  /// Entries after an index and up to another, at most `$4`.
  static let export = PreparedStatement(
    "export",
    """
    select \(entryColumns) from entries e
    where e.app = $1 and e.index > $2 and e.index <= $3 order by e.index limit $4
    """)

  /// Entries after an index, at most `$3`, and how many users the app has; one row without entry where there is none.
  static let follow = PreparedStatement(
    "follow",
    """
    select a.user_count, \(entryColumns)
    from apps a left join lateral (
      select * from entries n where n.app = a.app and n.index > $2 order by n.index limit $3) e on true
    where a.app = $1 order by e.index
    """)

  /// An app with its policies, of one moment.
  static let loadApp = PreparedStatement(
    "load_app",
    """
    select a.next_index, a.last_accepted, a.user_count, \(entryColumns)
    from apps a join entries e on e.app = a.app and e.subject is null
    where a.app = $1 order by e.index
    """)

  static let listApps = PreparedStatement("list_apps", "select app, next_index from apps order by created, app")

  /// Whether a connection for transactions is there.
  static let probe = PreparedStatement("probe", "select 1")

  static let appliedMigrations = PreparedStatement(
    "applied_migrations", "select name, hash from schema_migrations")

  // MARK: Members' requests

  /// Returns the nonces that were not there. In one order everywhere, so that two batches cannot wait for each other.
  static let useRequestNonces = PreparedStatement(
    "use_request_nonces",
    """
    insert into request_nonces (app, digest, expires)
    select $1::text, n.digest, n.expires from unnest($2::bytea[], $3::bigint[]) as n (digest, expires) order by n.digest
    on conflict (app, digest) do nothing returning digest
    """)

  /// At most `$3` of those that expired before `$2`.
  static let dropRequestNonces = PreparedStatement(
    "drop_request_nonces",
    """
    delete from request_nonces where app = $1 and digest = any(array(
      select n.digest from request_nonces n where n.app = $1 and n.expires < $2 order by n.expires limit $3))
    """)

  // MARK: Webhooks

  /// The database's clock, in milliseconds since 1970.
  private static let databaseTime = "(extract(epoch from clock_timestamp()) * 1000)::bigint"

  static let insertWebhookCursor = PreparedStatement(
    "insert_webhook_cursor",
    """
    insert into webhook_cursors (app, next_index, holder, leased_until)
    values ($1, coalesce((select a.next_index from apps a where a.app = $1), 0), '', 0) on conflict (app) do nothing
    """)

  /// No row if another holder has the lease.
  static let takeWebhookCursor = PreparedStatement(
    "take_webhook_cursor",
    """
    update webhook_cursors set holder = $2, leased_until = \(databaseTime) + $3
    where app = $1 and (holder = $2 or leased_until <= \(databaseTime)) returning next_index
    """)

  /// No row if another holder has taken the lease. One that ran out and that nobody has taken is renewed.
  static let moveWebhookCursor = PreparedStatement(
    "move_webhook_cursor",
    """
    update webhook_cursors set next_index = greatest(next_index, $4), leased_until = \(databaseTime) + $3
    where app = $1 and holder = $2 returning next_index
    """)

  // MARK: The registrar's key

  static let insertRegistrarKey = PreparedStatement(
    "insert_registrar_key",
    "insert into registrar_key (singleton, seed) values (true, $1) on conflict (singleton) do nothing")

  static let registrarKey = PreparedStatement("registrar_key", "select seed from registrar_key")
}
