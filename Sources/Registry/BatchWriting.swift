import Cryptography
import KeyRecords
import Postgres

/// The statements that store what a batch has accepted.
enum BatchWriting {
  typealias Statement = (PreparedStatement, [PostgresValue])

  /// Nothing where nothing was accepted.
  ///
  /// - Parameter userCount: how many users the app had before.
  static func statements(_ judge: BatchJudge, userCount: Int64) -> [Statement] {
    guard let last = judge.accepted.last else { return [] }
    let app = PostgresValue.text(judge.app.text)
    var statements = [insertEntries(judge.accepted, app)]
    if !judge.usedKeys.isEmpty {
      let keys = judge.usedKeys
      statements.append(
        (
          Statements.insertUsedKeys,
          [
            app, .byteaArray(keys.map(\.key.bytes)), .textArray(keys.map(\.subject.text)),
            .int8Array(keys.map(\.index)),
          ]
        ))
    }
    if !judge.usedNonces.isEmpty {
      let nonces = judge.usedNonces
      statements.append(
        (Statements.insertUsedNonces, [app, .byteaArray(nonces.map(\.nonce)), .int8Array(nonces.map(\.index))]))
    }
    let users = judge.touchedUsers.sorted()
    if !users.isEmpty { statements.append(upsertUsers(users, judge, app)) }
    statements.append(
      (
        Statements.updateApp,
        [
          app, .int8(judge.nextIndex), .int8(last.accepted), .int8(userCount + judge.newUserCount),
          .int8(judge.newPolicyIndex),
        ]
      ))
    statements.append((Statements.notify, [.text("\(judge.app) \(last.index)")]))
    return statements
  }

  static func insertEntries(_ entries: [Entry], _ app: PostgresValue) -> Statement {
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
  private static func upsertUsers(_ users: [UserID], _ judge: BatchJudge, _ app: PostgresValue) -> Statement {
    let entries = users.map { judge.histories[$0]?.entries ?? [] }
    return (
      Statements.upsertUsers,
      [
        app, .textArray(users.map(\.text)), .int8Array(entries.map { Int64($0.count) }),
        .int8Array(entries.map { $0.last?.index ?? -1 }),
      ]
    )
  }
}
