import BatchVerifier
import Glibc

/// `measure ROW ARGUMENT…`: one row of figures, a JSON object a line. `Benchmarks/run` calls it.
@main
struct Measure {
  static func main() async {
    var arguments = Array(CommandLine.arguments.dropFirst())
    do {
      guard !arguments.isEmpty else { throw Trouble("usage: measure ROW ARGUMENT...") }
      let row = arguments.removeFirst()
      switch row {
      case "verify": try await VerifyRow(arguments).againstBareVerification()
      case "cores": try await VerifyRow(arguments).againstOneThread()
      case "canonical": try CanonicalRow.run(arguments)
      case "unlock": try UnlockRow.run(arguments)
      case "claim-latency": try ClaimsRow.latencies(arguments)
      case "claims": try ClaimsRow.run(arguments)
      case "resolver": try await ResolverRow.run(arguments)
      case "rows": try RowsRow.run(arguments)
      case "subscribers": try SubscribersRow.run(arguments)
      case "users": try UsersRow.run(arguments)
      default: throw Trouble("there is no row \"\(row)\"")
      }
    } catch {
      try? Descriptor.standardError.writeAll(Array("measure: \(error)\n".utf8), step: "cannot say what is wrong")
      exit(1)
    }
  }
}

/// Why there are no figures.
struct Trouble: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The argument at a place, which must be there.
func argument(_ place: Int, of arguments: [String]) throws -> String {
  guard arguments.indices.contains(place) else { throw Trouble("an argument is missing after \(arguments)") }
  return arguments[place]
}

/// The whole number at a place of the arguments; at least 1.
func number(_ place: Int, of arguments: [String]) throws -> Int {
  let text = try argument(place, of: arguments)
  guard let number = Int(text), number >= 1 else { throw Trouble("\"\(text)\" is no number of at least 1") }
  return number
}

/// What something took.
struct Cost {
  /// Seconds of the clock on the wall.
  var wall: Double
  /// Seconds of processors, of all threads of this process.
  var processor: Double

  /// Measures `body`.
  init(_ body: () throws -> Void) rethrows {
    let (start, processorStart) = (ContinuousClock.now, Self.processorTime)
    try body()
    (wall, processor) = (start.duration(to: .now) / .seconds(1), Self.processorTime - processorStart)
  }

  /// Measures `body`.
  init(_ body: () async throws -> Void) async rethrows {
    let (start, processorStart) = (ContinuousClock.now, Self.processorTime)
    try await body()
    (wall, processor) = (start.duration(to: .now) / .seconds(1), Self.processorTime - processorStart)
  }

  /// The cost of one of `count` equal parts.
  func each(of count: Int) -> Cost {
    var cost = self
    cost.wall /= Double(count)
    cost.processor /= Double(count)
    return cost
  }

  private static var processorTime: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// Prints what both sides took for the same work.
func printPair(ours: Cost, peer: Cost) {
  print(
    "{\"ours\":\(ours.wall),\"peer\":\(peer.wall),\"oursCPU\":\(ours.processor),\"peerCPU\":\(peer.processor)}")
}
