public import KeyRecords

/// The paths of the HTTP interface (docs/spec/protocol.md §8). Both ends take them from here.
public enum APIPath: Sendable, Hashable {
  /// `POST /apps/{app}/records`
  case records
  /// `GET /apps/{app}/keys/{user}`, with or without a slash at the end
  case key(user: String)
  /// `GET /apps/{app}/keys/{user}/{sequence}`
  case keyAt(user: String, sequence: String)
  /// `GET /apps/{app}/users/{user}`
  case user(String)
  /// `GET /apps/{app}/users/{user}/history`
  case history(user: String)
  /// `POST /apps/{app}/resolve`
  case resolve
  /// `GET /apps/{app}/export`
  case export
  /// `WS /apps/{app}/events`
  case events
  /// `GET /apps/{app}`
  case app
  /// `GET /apps/{app}/policies`
  case policies
  /// `GET /apps/{app}/peer-host-info`
  case peerHostInfo

  /// Reads the decoded segments after `/apps/{app}`; nil for a path that does not exist. A user id is not looked at.
  public init?(segmentsAfterApp segments: [String]) {
    switch (segments.count, segments.first) {
    case (0, _): self = .app
    case (1, "records"): self = .records
    case (1, "resolve"): self = .resolve
    case (1, "export"): self = .export
    case (1, "events"): self = .events
    case (1, "policies"): self = .policies
    case (1, "peer-host-info"): self = .peerHostInfo
    case (2, "keys"): self = .key(user: segments[1])
    case (3, "keys") where segments[2].isEmpty: self = .key(user: segments[1])
    case (3, "keys"): self = .keyAt(user: segments[1], sequence: segments[2])
    case (2, "users"): self = .user(segments[1])
    case (3, "users") where segments[2] == "history": self = .history(user: segments[1])
    default: return nil
    }
  }

  /// The path of an app's resource. Ids need no escapes.
  public func path(of app: AppID) -> String {
    let base = "/apps/\(app)"
    switch self {
    case .records: return base + "/records"
    case .key(let user): return base + "/keys/\(user)"
    case .keyAt(let user, let sequence): return base + "/keys/\(user)/\(sequence)"
    case .user(let user): return base + "/users/\(user)"
    case .history(let user): return base + "/users/\(user)/history"
    case .resolve: return base + "/resolve"
    case .export: return base + "/export"
    case .events: return base + "/events"
    case .app: return base
    case .policies: return base + "/policies"
    case .peerHostInfo: return base + "/peer-host-info"
    }
  }
}
