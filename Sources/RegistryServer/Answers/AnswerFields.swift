import HTTPFormat

/// Header fields that answers have in common.
enum AnswerFields {
  /// On every answer: browsers of any origin may read it (protocol §8), and take its media type as it is named.
  static let common: HTTPFields = {
    var fields = HTTPFields()
    fields.add("access-control-allow-origin", "*")
    fields.add("access-control-expose-headers", "ETag, Retry-After")
    fields.add("x-content-type-options", "nosniff")
    return fields
  }()

  /// For JSON that may be kept, but must be asked for again before it is used.
  static let json = with("application/json", cache: "no-cache")
  /// For JSON that is about this moment.
  static let freshJSON = with("application/json", cache: "no-store")
  /// For JSON about keys, which may be kept for a while.
  static let keyJSON = with("application/json", cache: "max-age=60")
  /// For pages of the export.
  static let jsonLines = with("application/jsonl", cache: "no-cache")
  /// For problems. Caches would keep 404 and 410 at their own discretion.
  static let problem = with("application/problem+json", cache: "no-store")

  /// The common fields with a media type and a rule for caches.
  static func with(_ mediaType: String, cache: String) -> HTTPFields {
    var fields = common
    fields.add("content-type", mediaType)
    fields.add("cache-control", cache)
    return fields
  }
}

extension HTTPFields {
  /// These fields with a strong entity tag; `tag` has its quotes.
  func tagged(_ tag: [UInt8]) -> HTTPFields {
    var fields = self
    fields.add("etag", tag)
    return fields
  }
}
