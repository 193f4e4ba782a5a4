public import Foundation

/// A real `registrar serve`.
public final class RegistrarProcess {
  /// Why it is not there.
  public struct Failure: Error, CustomStringConvertible {
    /// What happened, with what the program printed.
    public let description: String
  }

  /// `http://127.0.0.1:PORT`.
  public let url: URL
  /// Its process id.
  public var processID: Int32 { process.processIdentifier }
  /// The port it listens on.
  public var port: UInt16 { UInt16(url.port ?? 0) }

  private let process: Process

  /// Starts `registrar serve` on a free port and waits until it listens.
  ///
  /// What it logs goes to `log` in the data folder's parent; a start after a crash appends.
  public init(data: String, arguments: [String] = [], log: String) throws {
    let process = Process()
    process.executableURL = BuiltProgram.url("registrar")
    process.arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"] + arguments
    process.environment = BuiltProgram.plainEnvironment
    if !FileManager.default.fileExists(atPath: log) { _ = FileManager.default.createFile(atPath: log, contents: nil) }
    let logHandle = try FileHandle(forUpdating: URL(filePath: log))
    try logHandle.seekToEnd()
    let output = Pipe()
    process.standardOutput = output
    process.standardError = logHandle
    process.standardInput = FileHandle.nullDevice
    try process.run()
    self.process = process
    guard let url = Self.waitForAddress(output.fileHandleForReading) else {
      process.terminate()
      process.waitUntilExit()
      let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      throw Failure(description: "registrar serve did not begin to listen: \(text.suffix(2_000))")
    }
    self.url = url
  }

  /// Reads up to the line that says where it listens; the end of the output comes before if it fails.
  private static func waitForAddress(_ handle: FileHandle) -> URL? {
    var text = ""
    while true {
      let data = handle.availableData
      if data.isEmpty { return nil }
      text += String(decoding: data, as: UTF8.self)
      for line in text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
      where line.hasPrefix("listening on ") && text.hasSuffix("\n") {
        return URL(string: String(line.dropFirst("listening on ".count)))
      }
    }
  }

  /// Ends it with SIGKILL, as a power failure would.
  public func kill() {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Asks it to stop with SIGTERM and waits; its exit status.
  @discardableResult
  public func stop() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }

  deinit {
    if process.isRunning { kill() }
  }
}
