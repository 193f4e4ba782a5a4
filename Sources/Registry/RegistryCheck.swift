import Cryptography
public import KeyRecords
import PeerstackFormat
public import Postgres

/// Something in the database that is not as its entries say.
public struct CheckDifference: Sendable, Hashable, CustomStringConvertible {
  /// The app.
  public let app: AppID
  /// The user, where it is about one.
  public let subject: UserID?
  /// The entry, where it is about one.
  public let index: Int64?
  /// What is wrong, as a sentence for people.
  public let reason: String

  /// Everything in one line.
  public var description: String {
    let place = [subject.map { "user \($0)" }, index.map { "entry \($0)" }].compactMap(\.self)
    return "\(app)\(place.isEmpty ? "" : ", \(place.joined(separator: ", "))"): \(reason)"
  }
}

/// What a check has found.
public struct CheckReport: Sendable {
  /// Differences that are kept in ``differences``; others are only counted.
  public static let differenceLimit = 1_000

  /// Apps that were checked.
  public internal(set) var appCount = 0
  /// Users that were replayed.
  public internal(set) var userCount: Int64 = 0
  /// Entries that were replayed.
  public internal(set) var entryCount: Int64 = 0
  /// The first of the differences.
  public private(set) var differences: [CheckDifference] = []
  /// How many there are.
  public private(set) var differenceCount = 0

  mutating func add(_ difference: CheckDifference) {
    differenceCount += 1
    if differences.count < Self.differenceLimit { differences.append(difference) }
  }
}

extension Registry {
  /// Replays every entry through the rules, signatures included, and compares all that is derived from entries.
  ///
  /// Reads one snapshot of the database per app, user after user, in bounded memory. May run beside registrars.
  ///
  /// - Parameter app: the one to check; all without it.
  /// - Throws: `PostgresError` if the database is away.
  public static func check(
    _ postgres: PostgresConfiguration, app: AppID? = nil, loop: any PostgresLoop
  ) async throws -> CheckReport {
    var configuration = serviceConfiguration(postgres)
    // Whole tables are counted.
    configuration.statementTimeout = .zero
    let session = PostgresSession(configuration: configuration, loop: loop)
    defer { session.close() }
    let ids = try await session.transaction(isReadOnly: true) { transaction in
      try await transaction.query(Statements.listApps).map { try $0.text(0) }
    }
    var report = CheckReport()
    for id in ids.compactMap({ AppID($0) }) where app == nil || app == id {
      report = try await session.transaction(isolation: .repeatableRead, isReadOnly: true) { transaction in
        var check = AppCheck(app: id, report: report)
        try await check.run(transaction)
        return check.report
      }
      report.appCount += 1
    }
    return report
  }
}
