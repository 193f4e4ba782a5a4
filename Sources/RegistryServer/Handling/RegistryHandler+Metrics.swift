import HTTPFormat

extension RegistryHandler {
  /// `GET /metrics`.
  func measurements() -> HTTPResponse {
    let registry = registry.metrics
    metrics.openConnections.set(events.openConnections())
    metrics.openWebSockets.set(events.openWebSockets())
    let text = metrics.backend.text() + RegistryExposition.text(registry)
    return HTTPResponse(
      status: 200, fields: AnswerFields.with(PrometheusMetrics.mediaType, cache: "no-store"), body: text)
  }
}
