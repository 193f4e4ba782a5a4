public import HTTPFormat

/// What a `WebServer` listens on, and how much it gives to each client. Every limit closes.
public struct WebConfiguration: Sendable {
  /// A name or address. `::` takes IPv4 too.
  public var host: String
  /// 0 for any free one: see `WebServer.port`.
  public var port: UInt16
  /// Most connections, WebSockets among them. No more than the process has descriptors for: see
  /// `WebServer.connectionLimit`. Beyond it a client gets `ConnectionFault.tooManyConnections`.
  public var connections = 20_000
  /// Most connections from one IPv4 address or one IPv6 network of 64 bits.
  public var connectionsPerAddress = 2_000
  /// Limits of request heads.
  public var headLimits = HTTPLimits()
  /// Bytes of further requests that are taken in while one is being answered. Beyond it they wait in the network.
  public var pendingInputBytes = 16_384
  /// Bytes of answers that may wait for a client before its further requests are left alone.
  public var pendingOutputBytes = 262_144
  /// Deadlines.
  public var deadlines = Deadlines()
  /// Limits of WebSockets.
  public var webSocket = WebSocketLimits()

  /// The usual limits.
  public init(host: String = "127.0.0.1", port: UInt16 = 0) {
    self.host = host
    self.port = port
  }

  /// How long a client may take. Each is counted from the beginning of what it names; single bytes do not extend it.
  /// They are looked at from time to time, so a connection may live a quarter longer.
  public struct Deadlines: Sendable {
    /// From the connection, or the first byte of a later request, to the end of the head.
    public var head: Duration = .seconds(10)
    /// From the end of the head to the end of the body.
    public var body: Duration = .seconds(30)
    /// Without a request.
    public var idle: Duration = .seconds(75)
    /// For a client to take what is sent to it, and a second more per `slowestReading`.
    public var writing: Duration = .seconds(30)
    /// Bytes per second that a client must be able to take.
    public var slowestReading = 65_536
    /// For a client to close after the last answer. Closing at once could destroy the answer on its way.
    public var lingering: Duration = .seconds(2)

    /// The usual deadlines.
    public init() {}
  }

  /// What a WebSocket may use, and how long it may be silent.
  public struct WebSocketLimits: Sendable {
    /// Largest message of a client; a larger one is closed with 1008.
    public var messageBytes = 65_536
    /// Bytes of frames that may wait for a client; then `WebSocketConnection.send` refuses.
    public var queuedBytes = 1_048_576
    /// Silence after which a client is asked for a sign of life.
    public var pingInterval: Duration = .seconds(30)
    /// For that sign to come; then the connection is cut.
    public var pongDeadline: Duration = .seconds(20)
    /// For a client to answer a closing frame; then the connection is cut.
    public var closingDeadline: Duration = .seconds(5)

    /// The usual limits.
    public init() {}
  }
}
