import Foundation
import Glibc

/// A program of this package that runs while a test talks to it, line by line.
public final class RunningProgram {
  /// There was no line when one was waited for.
  public struct Silence: Error, CustomStringConvertible {
    /// What was waited for, and what the program said.
    public let description: String
  }

  private static let patience = 120.0

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let errors: URL
  private let folder: TemporaryFolder
  private var buffer: [UInt8] = []

  /// Starts it.
  public init(_ name: String, _ arguments: [String]) throws {
    folder = try TemporaryFolder(prefix: "running")
    errors = folder.url.appending(path: "err")
    try Data().write(to: errors)
    process.executableURL = BuiltProgram.url(name)
    process.arguments = arguments
    process.environment = BuiltProgram.plainEnvironment
    process.standardInput = input
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
  }

  deinit { kill() }

  /// What it said on standard error.
  public var complaints: String { get throws { try String(contentsOf: errors, encoding: .utf8) } }

  /// Writes to its standard input.
  public func write(_ text: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(text.utf8)) }

  /// Ends its standard input.
  public func closeInput() throws { try input.fileHandleForWriting.close() }

  /// The next line of its output, for which it waits.
  public func line() throws -> String {
    let descriptor = output.fileHandleForReading.fileDescriptor
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeSubrange(...end)
        return line
      }
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard Glibc.poll(&poll, 1, Int32(Self.patience * 1_000)) == 1 else {
        throw Silence(description: "no line: \(try complaints)")
      }
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else { throw Silence(description: "it has ended: \(try complaints)") }
      buffer += data
    }
  }

  /// Waits until its standard error holds a text.
  public func waitForComplaint(_ text: String) throws {
    let deadline = ContinuousClock.now + .seconds(Self.patience)
    while try !complaints.contains(text) {
      guard process.isRunning, ContinuousClock.now < deadline else {
        throw Silence(description: "not \"\(text)\": \(try complaints)")
      }
      usleep(10_000)
    }
  }

  /// What it printed that nobody has read, to the end of its output.
  public func rest() throws -> [UInt8] { buffer + (try output.fileHandleForReading.readToEnd() ?? Data()) }

  /// Asks it to stop with SIGTERM and waits; its exit status, 128 and the signal's number if a signal ended it.
  @discardableResult
  public func stop() -> Int32 {
    process.terminate()
    return end()
  }

  /// Types ^C and waits; its exit status, as ``stop()``.
  public func interrupt() -> Int32 {
    process.interrupt()
    return end()
  }

  /// Waits until it ends; its exit status, as ``stop()``.
  public func end() -> Int32 {
    process.waitUntilExit()
    return (process.terminationReason == .uncaughtSignal ? 128 : 0) + process.terminationStatus
  }

  /// Ends it with SIGKILL.
  public func kill() {
    guard process.isRunning else { return }
    Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
