import ArgumentParser
import KeyRecords

/// A time on the command line.
struct TimeArgument: ExpressibleByArgument {
  let time: Milliseconds

  init?(argument: String) {
    guard let time = TimeText.time(argument) else { return nil }
    self.time = time
  }
}
