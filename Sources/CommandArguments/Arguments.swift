public import ArgumentParser
public import Cryptography
public import KeyRecords
import RegistryAPI

// What the command lines of both programs take as it is: what is none is refused by the argument parser, which names it.

extension AppID: ExpressibleByArgument {
  /// The app id that somebody wrote; nil for what is none.
  public init?(argument: String) { self.init(argument) }
}

extension UserID: ExpressibleByArgument {
  /// The user id that somebody wrote; nil for what is none.
  public init?(argument: String) { self.init(argument) }
}

extension RecordHash: ExpressibleByArgument {
  /// The hash that somebody wrote; nil for what is none.
  public init?(argument: String) { self.init(argument) }
}

extension VerifyingKey: ExpressibleByArgument {
  /// The key in canonical base64 that somebody wrote; nil for what is none.
  public init?(argument: String) { self.init(base64: argument) }
}

/// A span of time on the command line: a number with a unit, as in `30d`, `12h`, `90m`, `45s`, `0`.
public struct SpanArgument: ExpressibleByArgument, Sendable {
  /// The span.
  public let milliseconds: Milliseconds

  /// The span that somebody wrote; nil for what is none.
  public init?(argument: String) {
    guard let span = TimeWords.span(written: argument) else { return nil }
    milliseconds = span
  }
}
