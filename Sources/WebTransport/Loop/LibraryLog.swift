import CWebSockets
import Synchronization

/// What libwebsockets says. It has one log for the whole process; until a receiver is set, its words are dropped.
public enum LibraryLog {
  private static let receiver = Mutex<(@Sendable (String) -> Void)?>(nil)

  /// Lets `receive` have every warning and error, one line each, from any thread.
  public static func redirect(to receive: @escaping @Sendable (String) -> Void) {
    receiver.withLock { $0 = receive }
  }

  /// Lines that libwebsockets writes as errors though nothing is wrong: it names the step it takes, or says that a
  /// connection was closed in the middle of a handshake.
  private static let everydayWords = ["calling service", "deferring handling ah"]

  static func emit(_ text: String) {
    let line = String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    guard !line.isEmpty, !everydayWords.contains(where: { line.hasSuffix($0) }) else { return }
    receiver.withLock { $0 }?(line)
  }

  /// Takes over the log. Called before the first context is made.
  static func takeOver() {
    lws_set_log_level(LLL_ERR | LLL_WARN, emitLine)
  }
}

private let emitLine: @convention(c) (Int32, UnsafePointer<CChar>?) -> Void = { _, line in
  if let line { LibraryLog.emit(String(cString: line)) }
}
