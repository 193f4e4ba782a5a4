public import Foundation

/// The programs that were built beside the tests, run as a shell would run them.
public enum BuiltProgram {
  /// What a program did.
  public struct Outcome: Sendable {
    /// Its exit status; 128 and the signal's number if a signal ended it.
    public let status: Int32
    /// What it printed.
    public let output: [UInt8]
    /// What it complained about.
    public let error: String

    /// The lines of the output.
    public var lines: [String] {
      String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }
  }

  /// Where a program of this package is.
  public static func url(_ name: String) -> URL {
    // The tests are a bundle, or a program, beside what was built.
    var tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    for path in CommandLine.arguments where path.hasSuffix(".xctest") { tests = URL(filePath: path) }
    return tests.deletingLastPathComponent().appending(path: name)
  }

  /// Runs a program to its end.
  public static func run(
    _ name: String, _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
  ) throws -> Outcome {
    let folder = try TemporaryFolder(prefix: "run")
    let files = ["in", "out", "err"].map { folder.url.appending(path: $0) }
    try Data(input).write(to: files[0])
    for file in files.dropFirst() { try Data().write(to: file) }
    let process = Process()
    process.executableURL = url(name)
    process.arguments = arguments
    process.environment = plainEnvironment.merging(environment) { _, new in new }
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try process.run()
    process.waitUntilExit()
    let signal: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
    return Outcome(
      status: signal + process.terminationStatus, output: [UInt8](try Data(contentsOf: files[1])),
      error: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
  }

  /// The tests' own environment without settings of our programs.
  static var plainEnvironment: [String: String] {
    ProcessInfo.processInfo.environment.filter { name, _ in
      name != "DATABASE_URL" && !name.hasPrefix("REGISTRAR_") && !name.hasPrefix("PEERKEY_")
    }
  }
}

/// A folder that goes when nobody holds it any more.
public final class TemporaryFolder: Sendable {
  /// Where it is.
  public let url: URL

  /// A new folder in /tmp: paths of sockets are short.
  public init(prefix: String) throws {
    url = URL(filePath: "/tmp/\(prefix)-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// The path of a file in it.
  public func path(_ name: String) -> String { url.appending(path: name).path() }
}
