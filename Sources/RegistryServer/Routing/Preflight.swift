import HTTPFormat

/// Answers to `OPTIONS` (protocol §8: browsers are clients).
enum Preflight {
  /// Seconds for which a browser need not ask again.
  static let maxAgeSeconds = 86_400

  /// Whether a browser asks for leave; it then gets leave also for paths that do not exist, because without it a page
  /// could not see the problem that says so.
  static func isAsked(by head: RequestHead) -> Bool {
    head.method == .options && head.count(of: "access-control-request-method") > 0
  }

  /// The answer for a resource; nil: for a path without one, or the registrar as a whole (`OPTIONS *`).
  static func answer(for endpoint: Endpoint?) -> HTTPResponse {
    let allow = endpoint?.allow ?? "GET, HEAD, POST, OPTIONS"
    var fields = AnswerFields.common
    fields.add("allow", allow)
    fields.add("access-control-allow-methods", allow)
    fields.add("access-control-allow-headers", "Authorization, Content-Type, If-None-Match")
    fields.add("access-control-max-age", String(maxAgeSeconds))
    return HTTPResponse(status: 204, fields: fields)
  }
}
