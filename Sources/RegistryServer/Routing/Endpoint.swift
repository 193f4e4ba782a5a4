import HTTPFormat

/// Every resource of the registrar by the template of its path (docs/spec/protocol.md §8).
enum Endpoint: Int, CaseIterable, Sendable {
  case records
  case key
  case keyAt
  case user
  case history
  case resolve
  case export
  case events
  case app
  case policies
  case appPeerHostInfo
  case peerHostInfo
  case openAPI
  case healthz
  case readyz
  case metrics

  /// The template of the path, as metrics and the OpenAPI document name it.
  var template: String {
    switch self {
    case .records: "/apps/{app}/records"
    case .key: "/apps/{app}/keys/{user}"
    case .keyAt: "/apps/{app}/keys/{user}/{sequence}"
    case .user: "/apps/{app}/users/{user}"
    case .history: "/apps/{app}/users/{user}/history"
    case .resolve: "/apps/{app}/resolve"
    case .export: "/apps/{app}/export"
    case .events: "/apps/{app}/events"
    case .app: "/apps/{app}"
    case .policies: "/apps/{app}/policies"
    case .appPeerHostInfo: "/apps/{app}/peer-host-info"
    case .peerHostInfo: "/peer-host-info"
    case .openAPI: "/openapi.json"
    case .healthz: "/healthz"
    case .readyz: "/readyz"
    case .metrics: "/metrics"
    }
  }

  /// What a `POST` is for; all else is read.
  private var isPosted: Bool { self == .records || self == .resolve }

  /// The methods that are served, as `Allow` lists them.
  var allow: String {
    if isPosted { return "POST, OPTIONS" }
    // The handshake of a WebSocket is a GET; HEAD could not be one.
    return self == .events ? "GET, OPTIONS" : "GET, HEAD, OPTIONS"
  }

  /// Whether the method is served; `OPTIONS` is answered for all.
  func serves(_ method: HTTPMethod) -> Bool {
    switch method {
    case .get: !isPosted
    case .head: !isPosted && self != .events
    case .post: isPosted
    default: false
    }
  }

  /// Whether an app may keep it to its members (protocol §8, "Members only").
  var isForMembers: Bool {
    switch self {
    case .key, .keyAt, .user, .history, .resolve, .export, .events: true
    default: false
    }
  }
}
