import Glibc

/// Small files and standard output, whole.
enum TextFile {
  private static let largest = 1 << 30

  /// A file, or standard input for `-`.
  static func read(_ path: String) throws -> [UInt8] {
    let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandFailure("cannot open \(path): \(Self.lastError)") }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count == 0 { return text }
      if count < 0 {
        if errno == EINTR { continue }
        throw CommandFailure("cannot read \(path): \(Self.lastError)")
      }
      text.append(contentsOf: buffer[..<count])
      guard text.count <= largest else { throw CommandFailure("\(path) is larger than 1 GiB") }
    }
  }

  /// The lines of a file, read as they are asked for; without the empty one at the end.
  static func lines(of path: String) throws -> LineSequence {
    guard access(path, R_OK) == 0 else { throw CommandFailure("cannot open \(path): \(Self.lastError)") }
    return LineSequence(path: path)
  }

  /// Lines of a file. What cannot be read ends it; whoever counts what came notices.
  struct LineSequence: Sequence {
    let path: String

    func makeIterator() -> AnyIterator<[UInt8]> {
      guard let file = fopen(path, "re") else { return AnyIterator { nil } }
      let reader = LineReader(file)
      return AnyIterator { reader.next() }
    }
  }

  private final class LineReader {
    private let file: UnsafeMutablePointer<FILE>
    private var line: UnsafeMutablePointer<CChar>?
    private var capacity = 0

    init(_ file: UnsafeMutablePointer<FILE>) { self.file = file }

    deinit {
      free(line)
      fclose(file)
    }

    func next() -> [UInt8]? {
      let count = getline(&line, &capacity, file)
      guard count > 0, let line else { return nil }
      let bytes = UnsafeRawBufferPointer(start: line, count: count)
      return Array(bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...])
    }
  }

  /// Writes a new file with mode 0600, and to the disk.
  static func create(_ path: String, _ text: [UInt8]) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw CommandFailure("cannot make \(path): \(Self.lastError)") }
    defer { close(descriptor) }
    guard write(text, to: descriptor), fsync(descriptor) == 0 else {
      throw CommandFailure("cannot write \(path): \(Self.lastError)")
    }
  }

  /// Puts a text in the place of a file, whole or not at all.
  static func replace(_ path: String, with text: [UInt8]) throws {
    let new = "\(path).new-\(getpid())"
    try create(new, text)
    guard rename(new, path) == 0 else {
      let reason = lastError
      unlink(new)
      throw CommandFailure("cannot write \(path): \(reason)")
    }
  }

  /// Makes a folder, and those it lies in, unless they are there.
  static func makeDirectory(_ path: String) throws {
    var prefix = path.hasPrefix("/") ? "" : "."
    for component in path.split(separator: "/") {
      prefix += "/\(component)"
      guard mkdir(prefix, 0o700) == 0 || errno == EEXIST else {
        throw CommandFailure("cannot make the folder \(prefix): \(Self.lastError)")
      }
    }
  }

  /// One line on standard output. When nobody reads it any more, the program ends as others do.
  static func print(_ line: [UInt8]) {
    if !write(line + [UInt8(ascii: "\n")], to: STDOUT_FILENO) { exit(EXIT_FAILURE) }
  }

  /// One line on standard error, for what is no answer. Nobody may be listening; that is no reason to stop.
  static func say(_ line: String) { _ = write(Array((line + "\n").utf8), to: STDERR_FILENO) }

  private static func write(_ text: [UInt8], to descriptor: Int32) -> Bool {
    var rest = text[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR { return false }
      rest = rest.dropFirst(max(0, count))
    }
    return true
  }

  private static var lastError: String { strerror(errno).map { String(cString: $0) } ?? "error \(errno)" }
}

/// Why a command did not do what it was asked: a sentence for people that says what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
