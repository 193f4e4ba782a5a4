import Cryptography
import HTTPFormat
import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

/// Lets an app's users read what its policy keeps to them (protocol §8, "Members only").
enum MemberGate {
  /// Passes when the app is public, or the request is signed by the key in force of one of its users.
  ///
  /// - Throws: `not-authorised`, the same for everything that is wrong: what is missing is nobody's to learn.
  ///   `RegistryUnavailable` when the signer cannot be looked up, or the nonce not be used.
  static func check(_ head: RequestHead, of app: RegistryApp, allowsParameter: Bool) async throws {
    guard app.isForMembers else { return }
    let snapshot = try app.snapshot()
    guard snapshot.policy.rules.recordRead == .members else { return }
    guard let request = AccessToken.request(in: head, allowsParameter: allowsParameter), request.app == app.id,
      request.method == head.method.name, request.target == AccessToken.target(of: head),
      request.isFresh(at: snapshot.time), let key = try await Self.key(of: request.signer, in: app, at: snapshot.time),
      request.isSigned(by: key)
    else { throw Self.problem }
    // Last, so that nobody can use up a nonce that is not theirs.
    guard try await app.useRequestNonce(of: request) else { throw Self.problem }
  }

  private static let problem = Problem(
    .notAuthorised,
    detail:
      "this app is for its users: send Authorization: Peerstack with a request that is signed by your key in force, fresh and not used before"
  )

  private static func key(
    of user: UserID, in app: RegistryApp, at now: Milliseconds
  ) async throws -> VerifyingKey? {
    guard let snapshot = try await app.user(user) else { return nil }
    return snapshot.state(at: now)?.currentKey?.publicKey
  }
}
