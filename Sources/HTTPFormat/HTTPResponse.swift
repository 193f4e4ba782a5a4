/// A whole response: what a service answers with, and `ResponseSerializer` writes.
public struct HTTPResponse: Hashable, Sendable {
  /// 200…599.
  public var status: Int
  /// Everything but what the transport writes itself (`HTTPFields`).
  public var fields: HTTPFields
  /// The content. It is not sent for HEAD, 204 and 304.
  public var body: [UInt8]
  /// Whether the connection closes afterwards, though the request would let it stay.
  public var closesConnection = false

  /// A response; `body` is empty unless given.
  public init(status: Int, fields: HTTPFields = HTTPFields(), body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }
}
