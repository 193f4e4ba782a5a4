import HTTPFormat
import RegistryAPI

/// Where a path leads. Only the form is looked at: whether the app is served is asked later.
enum Destination: Sendable, Equatable {
  /// Something of an app; nil for a path that does not exist below it.
  case app(String, APIPath?)
  /// Something of the registrar itself.
  case registrar(Endpoint)
  /// Nothing.
  case nowhere

  /// Reads the path of a request.
  init(_ head: RequestHead) {
    guard head.hasPathPrefix("/apps/") else {
      self = Self.ofRegistrar(head)
      return
    }
    guard var segments = Self.segments(head.pathBytes), segments.count >= 2 else {
      self = .nowhere
      return
    }
    segments.removeFirst()
    let app = segments.removeFirst()
    self = .app(app, APIPath(segmentsAfterApp: segments))
  }

  /// The decoded segments of a path. Most paths have no escapes, and are cut without a copy of each part.
  private static func segments(_ path: ArraySlice<UInt8>) -> [String]? {
    guard !path.contains(UInt8(ascii: "%")) else { return PercentCoding.pathSegments(path) }
    var segments: [String] = []
    segments.reserveCapacity(mostSegments)
    var rest = path.dropFirst()
    while let end = rest.firstIndex(of: UInt8(ascii: "/")) {
      guard let text = String(validating: rest[..<end], as: UTF8.self) else { return nil }
      segments.append(text)
      rest = rest[(end + 1)...]
    }
    guard let text = String(validating: rest, as: UTF8.self) else { return nil }
    segments.append(text)
    return segments
  }

  /// Segments of the longest path: `apps`, the app, and three of its own.
  private static let mostSegments = 5

  private static func ofRegistrar(_ head: RequestHead) -> Destination {
    if head.hasPath("/healthz") { return .registrar(.healthz) }
    if head.hasPath("/readyz") { return .registrar(.readyz) }
    if head.hasPath("/metrics") { return .registrar(.metrics) }
    if head.hasPath("/openapi.json") { return .registrar(.openAPI) }
    if head.hasPath("/peer-host-info") { return .registrar(.peerHostInfo) }
    return .nowhere
  }

  /// The resource; nil where there is none.
  var endpoint: Endpoint? {
    switch self {
    case .app(_, let path): path?.endpoint
    case .registrar(let endpoint): endpoint
    case .nowhere: nil
    }
  }

  /// Most bytes of a request's body.
  var bodyLimit: Int {
    if case .app(_, .resolve) = self { return APILimits.resolveBodyBytes }
    return APILimits.bodyBytes
  }
}

extension APIPath {
  /// The resource by its template.
  var endpoint: Endpoint {
    switch self {
    case .records: .records
    case .key: .key
    case .keyAt: .keyAt
    case .user: .user
    case .history: .history
    case .resolve: .resolve
    case .export: .export
    case .events: .events
    case .app: .app
    case .policies: .policies
    case .peerHostInfo: .appPeerHostInfo
    }
  }
}
