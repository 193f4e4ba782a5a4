import BatchVerifier
import CPostgres
import Foundation
import Glibc

/// A bare loop over libpq: the statement that `resolve` uses, prepared, of the same ids, and nothing done with the rows.
enum RowsRow {
  private static let statement = "read_users"
  private static let textOID: Int32 = 25

  /// Arguments: conninfo, SQL, app, a file of `{"ids":[…]}` bodies, one a line, connections, and seconds. Prints rows a
  /// second.
  static func run(_ arguments: [String]) throws {
    let (conninfo, sql) = (try argument(0, of: arguments), try argument(1, of: arguments))
    let app = Array(try argument(2, of: arguments).utf8)
    let arrays = try Files.lines(try argument(3, of: arguments)).map { line in
      array(try JSONDecoder().decode(Body.self, from: Data(line)).ids)
    }
    let (connections, seconds) = (try number(4, of: arguments), try number(5, of: arguments))
    let loops = try (0..<connections).map { _ in try Loop(conninfo: conninfo, sql: sql) }
    let (rows, bytes, failed) = (Counter(), Counter(), Counter())
    let start = ContinuousClock.now
    onThreads(connections) { thread in
      var turn = thread
      while start.duration(to: .now) < .seconds(seconds) {
        guard let answer = loops[thread].rows(app, arrays[turn % arrays.count]) else {
          failed.increment()
          return
        }
        rows.add(answer.count)
        bytes.add(answer.bytes)
        turn += 1
      }
    }
    let elapsed = start.duration(to: .now) / .seconds(1)
    guard failed.count == 0, bytes.count > 0 else { throw Trouble("libpq has no rows: \(loops[0].complaint)") }
    print("{\"rows\":\(rows.count),\"seconds\":\(elapsed),\"bytes\":\(bytes.count)}")
  }

  private struct Body: Decodable {
    let ids: [String]
  }

  /// `text[]` in Postgres's binary format.
  private static func array(_ texts: [String]) -> [UInt8] {
    func word(_ number: Int32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    // One dimension, no nulls, text; so many from 1 on.
    let head = word(1) + word(0) + word(textOID) + word(Int32(texts.count)) + word(1)
    return head + texts.flatMap { word(Int32($0.utf8.count)) + Array($0.utf8) }
  }

  /// One connection; one thread at a time uses it, which is why it may be sent to one.
  private final class Loop: @unchecked Sendable {
    private let connection: OpaquePointer

    init(conninfo: String, sql: String) throws {
      guard let connection = PQconnectdb(conninfo) else { throw Trouble("libpq has no memory") }
      self.connection = connection
      let prepared = PQprepare(connection, statement, sql, 0, nil)
      defer { PQclear(prepared) }
      guard PQresultStatus(prepared) == PGRES_COMMAND_OK else { throw Trouble("cannot prepare: \(complaint)") }
    }

    deinit { PQfinish(connection) }

    var complaint: String { PQerrorMessage(connection).map { String(cString: $0) } ?? "" }

    /// How many rows there are, and the bytes of their records; nil for a failure.
    func rows(_ app: [UInt8], _ ids: [UInt8]) -> (count: Int, bytes: Int)? {
      let result = app.withUnsafeBytes { app in
        ids.withUnsafeBytes { ids in
          let values = [app, ids].map { $0.baseAddress?.assumingMemoryBound(to: CChar.self) }
          return PQexecPrepared(connection, statement, 2, values, [Int32(app.count), Int32(ids.count)], [1, 1], 1)
        }
      }
      defer { PQclear(result) }
      guard PQresultStatus(result) == PGRES_TUPLES_OK else { return nil }
      let (count, record) = (PQntuples(result), PQnfields(result) - 1)
      return (Int(count), (0..<count).reduce(0) { $0 + Int(PQgetlength(result, $1, record)) })
    }
  }
}
