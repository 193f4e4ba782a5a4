import PeerstackFormat

/// Canonical form and hash alone.
enum CanonicalRow {
  /// Arguments: a file of objects, one a line, and how often it is read. Prints MB of input a second.
  static func run(_ arguments: [String]) throws {
    let lines = try Files.lines(argument(0, of: arguments))
    let repeats = try number(1, of: arguments)
    var reader = SignedObjectReader()
    var hashed = 0
    func pass() throws {
      for line in lines {
        try reader.read(line)
        if reader.hash != nil { hashed += 1 }
      }
    }
    try pass()
    let time = try Cost { for _ in 0..<repeats { try pass() } }.wall
    guard hashed == lines.count * (repeats + 1) else { throw Trouble("not every line has a hash") }
    let bytes = lines.reduce(0) { $0 + $1.count } * repeats
    print("{\"rate\":\(Double(bytes) / time / 1e6)}")
  }
}
