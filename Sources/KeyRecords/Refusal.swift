public import PeerstackFormat

/// Why something was refused: a code, and the facts of the rule (docs/spec/protocol.md, "Codes and statuses").
///
/// A value, not a failure of the system. It is thrown only inside this module, where it spares every reader a ladder of
/// results.
public struct Refusal: Error, Hashable, Sendable {
  /// The stable code.
  public let code: ProblemCode
  /// What the protocol promises beside the code, and more where it helps.
  public let facts: JSONObject

  /// A code with its facts.
  public init(_ code: ProblemCode, _ facts: JSONObject = [:]) {
    self.code = code
    self.facts = facts
  }

  /// `invalid-field` at a JSON pointer.
  public static func invalidField(_ pointer: String) -> Refusal {
    Refusal(.invalidField, ["pointer": .text(pointer)])
  }
}
