import Foundation
import Testing

/// The real executable, as a shell would run it.
struct Command {
  struct Outcome {
    let status: Int32
    let output: [UInt8]
    let error: String

    /// Lines as LF ends them.
    var lines: [String] {
      String(decoding: output, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }
  }

  static let executable: URL = {
    // The tests are a bundle, or a program, beside what was built.
    var folder = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    for path in CommandLine.arguments where path.hasSuffix(".xctest") { folder = URL(filePath: path) }
    return folder.deletingLastPathComponent().appending(path: "peerkey")
  }()

  static func run(_ arguments: [String], input: [UInt8]) throws -> Outcome {
    let folder = FileManager.default.temporaryDirectory.appending(path: "peerkey-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = ["in", "out", "err"].map { folder.appending(path: $0) }
    try Data(input).write(to: files[0])
    for file in files.dropFirst() { try Data().write(to: file) }
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: [UInt8](try Data(contentsOf: files[1])),
      error: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
  }
}

/// The files in Tests/Vectors/peerstack-vectors.
enum Vectors {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Vectors/peerstack-vectors")

  static func path(_ name: String) -> String { folder.appending(path: name).path() }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: name)))
  }
}
