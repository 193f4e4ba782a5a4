/// Listens to channels on a connection of its own.
///
/// Notifications are hints: what is sent while the connection is away is lost. So after every time that listening has
/// begun, the first included, `onResync` is called, and the listener's owner reads what it may have missed.
///
/// `@unchecked Sendable`: all state belongs to the loop; every entry checks or goes there.
public final class NotificationListener: @unchecked Sendable {
  /// Told on the loop: channel and payload.
  public typealias NotificationHandler = @Sendable (_ channel: String, _ payload: String) -> Void

  private let keeper: ConnectionKeeper
  private let loop: any PostgresLoop

  /// A listener on a loop; it begins to connect at once. To be balanced by ``close()``.
  ///
  /// - Parameters:
  ///   - channels: 1 to 63 bytes each.
  ///   - onNotification: called on the loop.
  ///   - onResync: called on the loop, before any notification of that connection.
  /// - Throws: ``PostgresError`` of kind ``PostgresError/Kind/invalidRequest`` for a channel that cannot be.
  public init(
    configuration: PostgresConfiguration, loop: any PostgresLoop, channels: [String],
    onNotification: @escaping NotificationHandler, onResync: @escaping @Sendable () -> Void
  ) throws(PostgresError) {
    var commands: [String] = []
    for channel in channels {
      let isPossible = (1...PreparedStatement.maximumNameBytes).contains(channel.utf8.count)
      guard isPossible, !channel.utf8.contains(0) else {
        throw PostgresError(.invalidRequest, "a channel's name has 1 to \(PreparedStatement.maximumNameBytes) bytes")
      }
      commands.append("listen \(Self.quoted(channel))")
    }
    self.loop = loop
    keeper = ConnectionKeeper(configuration: configuration, loop: loop)
    let listenCommands = commands
    loop.execute { [keeper] in
      keeper.prepare = { connection in Self.listen(listenCommands, on: connection) }
      keeper.onReady = { connection in
        onResync()
        // What arrived while listening began is behind the resync, where it belongs.
        connection.onNotification = onNotification
        connection.deliverNotifications()
      }
      keeper.start()
    }
  }

  /// Ends the connection; no further call comes once the loop has run this.
  public func close() {
    loop.execute { [keeper] in
      keeper.onReady = { _ in }
      keeper.stop(PostgresError(.unavailable, "the listener is closed"))
    }
  }

  private static func listen(_ commands: [String], on connection: Connection) {
    for command in commands {
      do throws(PostgresError) {
        let none = try EncodedParameters([])
        let completion = Request.Completion.callback { result in
          if case .failure(let error) = result { connection.giveUp(error) }
        }
        connection.send(Request(.text(command, none), completion: completion))
      } catch {
        connection.giveUp(error)
      }
    }
  }

  private static func quoted(_ name: String) -> String {
    var quoted = "\""
    for character in name.unicodeScalars {
      quoted.unicodeScalars.append(character)
      if character == "\"" { quoted.unicodeScalars.append(character) }
    }
    return quoted + "\""
  }
}
