import HTTPFormat
import Registry

extension RegistryHandler {
  /// `GET /metrics`.
  func measurements() -> HTTPResponse {
    HTTPResponse(
      status: 200, fields: AnswerFields.with(PrometheusMetrics.mediaType, cache: "no-store"),
      body: metrics.text(with: registry.metrics))
  }
}
