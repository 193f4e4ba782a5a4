import GRDB

/// The tables. Every one is keyed by app first.
///
/// A version that was released is never changed: what is new, tables of other things that are kept included, is another
/// migration behind the last. A file with a migration that is not in this list is refused.
enum CacheSchema {
  /// `Peer`: tells our files from those of other programs.
  static let applicationID: Int32 = 0x5065_6572

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: histories, pins, policies, cursors, quarantine") { database in
      try database.execute(sql: kept)
      try database.execute(sql: dropped)
    }
    migrator.registerMigration("2: contacts") { try $0.execute(sql: ContactRow.table) }
    return migrator
  }

  /// Makes the first file at a path where an empty one is.
  static func make(at path: String) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.writeWithoutTransaction { database in
      // Before there is anything in it: it is then in the file itself from the start, where it is looked for.
      try database.execute(sql: "PRAGMA application_id = \(applicationID)")
      try database.execute(sql: "PRAGMA journal_mode = WAL")
    }
    try migrator.migrate(queue)
    try queue.close()
  }

  /// What is lost trust if it is lost. Every row has a digest, and all of an app's rows together have a seal.
  private static let kept = """
    CREATE TABLE pins (
      app TEXT NOT NULL, user TEXT NOT NULL, registrar TEXT NOT NULL, first BLOB NOT NULL, sequence INTEGER NOT NULL,
      head BLOB NOT NULL, incarnation INTEGER NOT NULL, lastIndex INTEGER NOT NULL, asOfIndex INTEGER NOT NULL,
      asOfTime INTEGER NOT NULL, trust TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (app, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE policies (
      app TEXT NOT NULL, registrar TEXT NOT NULL, digest BLOB NOT NULL, entries BLOB NOT NULL,
      PRIMARY KEY (app, registrar)
    ) STRICT;
    CREATE TABLE cursors (
      app TEXT NOT NULL, registrar TEXT NOT NULL, place INTEGER NOT NULL, digest BLOB NOT NULL,
      PRIMARY KEY (app, registrar)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE seals (
      app TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL, digest BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    """

  /// What can be had again, or waits.
  private static let dropped = """
    CREATE TABLE histories (
      number INTEGER PRIMARY KEY, app TEXT NOT NULL, registrar TEXT NOT NULL, user TEXT NOT NULL,
      asOfIndex INTEGER NOT NULL, asOfTime INTEGER NOT NULL, checked INTEGER NOT NULL, used INTEGER NOT NULL,
      bytes INTEGER NOT NULL, digest BLOB NOT NULL, entries BLOB NOT NULL, UNIQUE (app, registrar, user)
    ) STRICT;
    CREATE INDEX historiesByUse ON histories (used, bytes);
    CREATE TABLE quarantine (
      number INTEGER PRIMARY KEY, app TEXT NOT NULL, digest BLOB NOT NULL, signer TEXT NOT NULL,
      received INTEGER NOT NULL, bytes INTEGER NOT NULL, text BLOB NOT NULL, UNIQUE (app, digest)
    ) STRICT;
    CREATE INDEX quarantineBySigner ON quarantine (app, signer, received, bytes);
    """
}
