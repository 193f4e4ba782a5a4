import ArgumentParser
import Keystore
import PeerstackFormat

/// How a command ends. Documented in docs/peerkey.md and in the help.
enum ExitStatus: Int32, Sendable, CaseIterable {
  /// Everything that was asked was done.
  case done = 0
  /// It was refused, or failed.
  case failed = 1
  /// Not done yet: accepted with a delay, or approvals are missing.
  case pending = 2
  /// Something happened to one's own id that its keystore did not do.
  case happened = 3
  /// The registrar cannot be reached.
  case unreachable = 69
  /// The keystore did not open.
  case wrongPassword = 77

  var code: ExitCode { ExitCode(rawValue) }
}

/// A failure with a sentence for people.
struct CommandFailure: Error, CustomStringConvertible {
  /// Stable: the registrar's problem code, or one of ours (docs/peerkey.md).
  let code: String
  /// A sentence for people: what failed, then what to do.
  let description: String
  /// What the rule says beside the code.
  let facts: JSONObject
  let status: ExitStatus

  init(
    _ description: String, code: String = "failed", facts: JSONObject = [:], status: ExitStatus = .failed
  ) {
    self.code = code
    self.description = description
    self.facts = facts
    self.status = status
  }

  /// What a keystore says.
  init(_ error: KeystoreError) {
    switch error {
    case .wrongPassword, .wrongRecoveryCode:
      self.init(error.description, code: "wrong-password", status: .wrongPassword)
    case .locked: self.init(error.description, code: "keystore-locked")
    case .notFound: self.init(error.description, code: "no-keystore")
    default: self.init(error.description, code: "keystore")
    }
  }

  /// Whatever a command threw.
  init(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as KeystoreError: self.init(error)
    case is CancellationError: self.init("cancelled", code: "cancelled")
    default: self.init("\(error)")
    }
  }

  /// `{"error":{…}}`
  var json: JSONValue {
    .object(["error": .object(JSONObject([("code", .text(code)), ("detail", .text(description))] + facts.members))])
  }
}
