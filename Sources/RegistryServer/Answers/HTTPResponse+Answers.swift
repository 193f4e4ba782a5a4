import Cryptography
import HTTPFormat
import KeyRecords
import PeerstackFormat
import RegistryAPI

extension HTTPResponse {
  /// The answer that is a problem, with the fields its code asks for.
  static func problem(_ problem: Problem) -> HTTPResponse {
    var fields = AnswerFields.problem
    if let seconds = problem.retryAfterSeconds { fields.add("retry-after", String(seconds)) }
    var response = HTTPResponse(status: problem.code.status, fields: fields, body: problem.body)
    // Also of a record that is too large in a body that is not (protocol §8: the connection closes after 413).
    response.closesConnection = problem.code == .tooLarge
    return response
  }

  /// 405, with the methods that are served.
  static func methodNotAllowed(allowed: String) -> HTTPResponse {
    var response = problem(Problem(.methodNotAllowed, facts: ["allow": .text(allowed)]))
    response.fields.add("allow", allowed)
    return response
  }

  /// What `head` asks for: a body that its entity tag stands for, or 304 where the client has it.
  ///
  /// - Parameter tag: A strong tag with its quotes: other bytes never have it.
  static func conditional(
    _ head: RequestHead, tag: [UInt8], fields: HTTPFields, body: @autoclosure () -> [UInt8]
  ) -> HTTPResponse {
    let fields = fields.tagged(tag)
    // A 304 repeats what a cache has to renew, and has no content to name the type of (RFC 9110 §15.4.5).
    guard !head.ifNoneMatch(names: tag) else { return HTTPResponse(status: 304, fields: fields) }
    return HTTPResponse(status: 200, fields: fields, body: body())
  }

  /// A body with a tag made of its bytes.
  static func hashed(_ head: RequestHead, fields: HTTPFields = AnswerFields.json, body: [UInt8]) -> HTTPResponse {
    conditional(head, tag: EntityTags.tag(of: SHA256.hash(body)), fields: fields, body: body)
  }
}

/// Entity tags (RFC 9110 §8.8.3), all strong.
enum EntityTags {
  /// The hexadecimal text of a hash, in quotes.
  static func tag(of hash: Bytes32) -> [UInt8] {
    var tag: [UInt8] = []
    tag.reserveCapacity(66)
    tag.append(UInt8(ascii: "\""))
    Hex.append(hash, to: &tag)
    tag.append(UInt8(ascii: "\""))
    return tag
  }
}
