import CPostgres

/// Sole owner of one `PGconn`.
///
/// `@unchecked Sendable`: it is made on a thread of its own, handed over once, and from then on touched by one loop
/// alone; nothing touches it in two threads at once.
final class ConnectionHandle: @unchecked Sendable {
  let pointer: OpaquePointer

  init(owning pointer: OpaquePointer) { self.pointer = pointer }

  deinit { PQfinish(pointer) }

  var isBroken: Bool { PQstatus(pointer) != CONNECTION_OK }

  /// libpq's last complaint, on one line.
  var complaint: String {
    guard let message = PQerrorMessage(pointer) else { return "" }
    return String(cString: message).split(whereSeparator: \.isNewline).joined(separator: "; ")
  }
}
