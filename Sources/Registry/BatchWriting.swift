import Cryptography
import KeyRecords
import Postgres

/// The statements that store what a batch has accepted.
enum BatchWriting {
  typealias Statement = (PreparedStatement, [PostgresValue])

  /// Nothing where nothing was accepted.
  ///
  /// - Parameters:
  ///   - userCount: how many users the app had before.
  ///   - tells: whether other instances are told.
  static func statements(_ gain: Gain, userCount: Int64, tells: Bool = true) -> [Statement] {
    guard let last = gain.entries.last else { return [] }
    let app = PostgresValue.text(gain.app.text)
    var statements = [insertEntries(gain.entries, app)]
    if !gain.usedKeys.isEmpty {
      let keys = gain.usedKeys
      statements.append(
        (
          Statements.insertUsedKeys,
          [
            app, .byteaArray(keys.map(\.key.bytes)), .textArray(keys.map(\.subject.text)),
            .int8Array(keys.map(\.index)),
          ]
        ))
    }
    if !gain.usedNonces.isEmpty {
      let nonces = gain.usedNonces
      statements.append(
        (Statements.insertUsedNonces, [app, .byteaArray(nonces.map(\.nonce)), .int8Array(nonces.map(\.index))]))
    }
    if !gain.users.isEmpty { statements.append(upsertUsers(gain, app)) }
    statements.append(
      (
        Statements.updateApp,
        [
          app, .int8(last.index + 1), .int8(last.accepted), .int8(userCount + gain.newUserCount),
          .int8(gain.policyIndex),
        ]
      ))
    if tells { statements.append((Statements.notify, [hint(gain.app, last.index)])) }
    return statements
  }

  /// What other instances are told: an app, a space, its latest index.
  static func hint(_ app: AppID, _ index: Int64) -> PostgresValue { .text("\(app) \(index)") }

  private static func insertEntries(_ entries: [Entry], _ app: PostgresValue) -> Statement {
    (
      Statements.insertEntries,
      [
        app, .int8Array(entries.map(\.index)), .int8Array(entries.map(\.accepted)),
        .nullableInt8Array(entries.map(\.effective)), .nullableInt8Array(entries.map { $0.rank.map(Int64.init) }),
        .nullableTextArray(entries.map { $0.content.subject?.text }),
        .byteaArray(entries.map(\.content.hash.bytes32.bytes)), .byteaArray(entries.map(\.content.canonical)),
      ]
    )
  }

  /// In the order of ids, so that rows are always locked in one order.
  private static func upsertUsers(_ gain: Gain, _ app: PostgresValue) -> Statement {
    let users = gain.users.sorted { $0.key < $1.key }
    return (
      Statements.upsertUsers,
      [
        app, .textArray(users.map(\.key.text)), .int8Array(users.map(\.value.entryCount)),
        .int8Array(users.map(\.value.lastIndex)),
      ]
    )
  }
}
