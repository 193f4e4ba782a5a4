import BatchVerifier
import Cryptography
import Glibc
import Keystore

/// The person in front of the program, who is not standard input.
enum Terminal {
  private static let longestLine = 4_096

  /// Asks for a line that is not shown.
  ///
  /// - Parameter advice: What to do where there is no terminal.
  static func secret(_ prompt: String, else advice: String) throws -> SecretBytes {
    try withTerminal(else: advice) { terminal in
      var before = termios()
      guard tcgetattr(terminal, &before) == 0 else { throw CommandFailure("cannot set up the terminal: \(advice)") }
      var quiet = before
      quiet.c_lflag &= ~tcflag_t(ECHO)
      guard tcsetattr(terminal, TCSAFLUSH, &quiet) == 0 else {
        throw CommandFailure("cannot set up the terminal: \(advice)")
      }
      defer {
        tcsetattr(terminal, TCSAFLUSH, &before)
        try? Descriptor(terminal).writeAll([UInt8(ascii: "\n")], step: "")
      }
      try Descriptor(terminal).writeAll(Array(prompt.utf8), step: "cannot write to the terminal")
      var line = try readLine(terminal)
      return SecretBytes(wiping: &line)
    }
  }

  /// Asks a question that only one answer says yes to.
  static func confirm(_ question: String, by answer: String, else advice: String) throws {
    let given = try withTerminal(else: advice) { terminal in
      try Descriptor(terminal).writeAll(
        Array("\(question)\nType \(answer) to go on: ".utf8), step: "cannot write to the terminal")
      return String(decoding: try readLine(terminal), as: UTF8.self)
    }
    guard given == answer else { throw CommandFailure("not confirmed: nothing was done", code: "not-confirmed") }
  }

  private static func withTerminal<T>(else advice: String, _ body: (Int32) throws -> T) throws -> T {
    let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
    guard terminal >= 0 else { throw CommandFailure("there is no terminal to ask on: \(advice)", code: "no-terminal") }
    defer { close(terminal) }
    return try body(terminal)
  }

  private static func readLine(_ terminal: Int32) throws -> [UInt8] {
    var line: [UInt8] = []
    // Growing would leave copies of a secret behind.
    line.reserveCapacity(longestLine)
    var byte: UInt8 = 0
    while line.count < longestLine {
      let count = read(terminal, &byte, 1)
      if count < 0 && errno == EINTR { continue }
      guard count == 1 else { throw CommandFailure("the terminal was closed: nothing was done", code: "no-terminal") }
      if byte == UInt8(ascii: "\n") { return line }
      line.append(byte)
    }
    throw CommandFailure("the line is too long: nothing was done")
  }
}

/// Files that hold a secret in one line.
enum SecretFile {
  /// The first line of a file, without its end.
  static func line(_ path: String) throws -> SecretBytes {
    var bytes = try TextFile.read(path, limit: 65_536)
    if let end = bytes.firstIndex(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
      bytes.withUnsafeMutableBytes { buffer in
        for index in end..<buffer.count { buffer[index] = 0 }
      }
      bytes.removeLast(bytes.count - end)
    }
    return SecretBytes(wiping: &bytes)
  }
}

extension SecretFile {
  /// A whole file.
  static func whole(_ path: String) throws -> SecretBytes {
    var bytes = try TextFile.read(path, limit: KeystoreLimits.fileBytes)
    return SecretBytes(wiping: &bytes)
  }
}

/// Whole files.
enum TextFile {
  /// Reads a file, or standard input for `-`.
  static func read(_ path: String, limit: Int) throws -> [UInt8] {
    let step = "cannot read \(path == "-" ? "standard input" : path)"
    var descriptor = Descriptor.standardInput
    if path != "-" {
      let number = open(path, O_RDONLY | O_CLOEXEC)
      guard number >= 0 else { throw StreamFailure(step, number: errno) }
      descriptor = Descriptor(number)
    }
    defer { if path != "-" { close(descriptor.number) } }
    guard let text = try descriptor.readAll(limit: limit, step: step) else {
      throw CommandFailure("\(step): it has more than \(limit) bytes")
    }
    return text
  }

  /// Writes a new file that only its owner can read, and to the disk.
  static func create(_ path: String, _ text: [UInt8]) throws {
    let step = "cannot make \(path)"
    let number = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard number >= 0 else { throw StreamFailure(step, number: errno) }
    defer { close(number) }
    try Descriptor(number).writeAll(text, step: step)
    guard fsync(number) == 0 else { throw StreamFailure(step, number: errno) }
  }

  /// Makes the folder of a file, and those it lies in.
  static func makeFolder(of path: String) throws {
    guard let end = path.lastIndex(of: "/"), end > path.startIndex else { return }
    var prefix = path.hasPrefix("/") ? "" : "."
    for component in path[..<end].split(separator: "/") {
      prefix += "/\(component)"
      guard mkdir(prefix, 0o700) == 0 || errno == EEXIST else {
        throw StreamFailure("cannot make the folder \(prefix)", number: errno)
      }
    }
  }
}
