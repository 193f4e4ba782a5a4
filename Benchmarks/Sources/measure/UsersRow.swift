import BatchVerifier
import Cryptography
import Glibc
import KeyRecords
import RegistryTestKit
import Synchronization

/// Users with their signed claims, as files of rows for `copy … with (format binary)`: as the registrar would have stored
/// them, without the time it takes to ask it a million times. `registrar check` is run on a database made of them.
enum UsersRow {
  /// Arguments: app, index of the first entry, users, and a folder. Makes entries.copy, users.copy and used_keys.copy
  /// for each thread in a folder of the thread's number, and `ids` in the order of the entries.
  static func run(_ arguments: [String]) throws {
    guard let app = AppID(try argument(0, of: arguments)) else { throw Trouble("no app id") }
    let (first, count) = (try number(1, of: arguments), try number(2, of: arguments))
    let folder = try argument(3, of: arguments)
    let threads = BatchPipeline.processors
    // Entries of one moment: it never decreases from one to the next.
    let part = Part(app: app, accepted: TestPerson.now, folder: folder)
    let done = Mutex<[Int: [String]]>([:])
    let troubles = Mutex<[String]>([])
    onThreads(threads) { thread in
      do {
        let ids = try part.write(
          thread: thread, indexes: (first + count * thread / threads)..<(first + count * (thread + 1) / threads))
        done.withLock { $0[thread] = ids }
      } catch {
        troubles.withLock { $0.append("\(error)") }
      }
    }
    if let trouble = troubles.withLock({ $0.first }) { throw Trouble(trouble) }
    let ids = done.withLock { done in (0..<threads).flatMap { done[$0] ?? [] } }
    try Files.write(Array((ids.joined(separator: "\n") + "\n").utf8), to: "\(folder)/ids")
    print("{\"users\":\(ids.count),\"threads\":\(threads)}")
  }

  private struct Part: Sendable {
    let app: AppID
    let accepted: Milliseconds
    let folder: String

    func write(thread: Int, indexes: Range<Int>) throws -> [String] {
      let path = "\(folder)/\(thread)"
      guard mkdir(path, 0o755) == 0 else { throw Trouble("cannot make \(path): \(String(cString: strerror(errno)))") }
      var entries = try CopyFile("\(path)/entries.copy")
      var users = try CopyFile("\(path)/users.copy")
      var keys = try CopyFile("\(path)/used_keys.copy")
      let template = try ClaimTemplate(app: app, at: accepted)
      let name = Array(app.text.utf8)
      var ids: [String] = []
      for index in indexes {
        let (claim, index) = (template.claim(at: accepted), Int64(index))
        try entries.add([
          .bytes(name), .int8(index), .int8(accepted), .int8(accepted), .null, .bytes(claim.id),
          .bytes(SHA256.hash(claim.text).bytes), .bytes(claim.text),
        ])
        try users.add([.bytes(name), .bytes(claim.id), .int8(1), .int8(index)])
        try keys.add([.bytes(name), .bytes(claim.key), .bytes(claim.id), .int8(index)])
        ids.append(String(decoding: claim.id, as: UTF8.self))
      }
      try entries.finish()
      try users.finish()
      try keys.finish()
      return ids
    }
  }
}

/// A file in the binary format of Postgres's `copy`.
private struct CopyFile {
  enum Field {
    case null
    case int8(Int64)
    /// Of `bytea` and `text`.
    case bytes([UInt8])
  }

  private static let flushBytes = 1 << 20
  private let descriptor: Int32
  private let step: String
  private var buffer: [UInt8]

  init(_ path: String) throws {
    step = "cannot write \(path)"
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Trouble("\(step): \(String(cString: strerror(errno)))") }
    // The signature, no flags, no extension.
    buffer = Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8)
  }

  mutating func add(_ fields: [Field]) throws {
    append(Int16(fields.count))
    for field in fields {
      switch field {
      case .null: append(Int32(-1))
      case .int8(let number):
        append(Int32(8))
        append(number)
      case .bytes(let bytes):
        append(Int32(bytes.count))
        buffer += bytes
      }
    }
    if buffer.count >= Self.flushBytes { try flush() }
  }

  mutating func finish() throws {
    append(Int16(-1))
    try flush()
    close(descriptor)
  }

  private mutating func append(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.bigEndian) { buffer += $0 }
  }

  private mutating func flush() throws {
    try Descriptor(descriptor).writeAll(buffer, step: step)
    buffer.removeAll(keepingCapacity: true)
  }
}
