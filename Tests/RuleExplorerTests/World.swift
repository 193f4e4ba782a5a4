import KeyRecords
import PeerstackFormat
import Testing

/// What the parties start from: who may act for the user, in which order, and who is against them.
struct World: Sendable, CustomTestStringConvertible {
  static let minute: Milliseconds = 60_000
  static let hour = 60 * minute
  static let day = 24 * hour
  /// When the id is claimed.
  static let claimed: Milliseconds = 1_770_000_000_000
  /// When the thief comes into the signing key: what the owner states as the time of the theft.
  static let theft = claimed + 5 * day
  /// Longer than every delay and every contest.
  static let muchLater = 40 * day

  let name: String
  let tiers: [Tier]
  /// Keys that the thief has beside the stolen signing key.
  var colluders: [String] = []
  /// Friends who help the owner.
  var honestFriends: [String] = []
  /// How long rivals are let in.
  var contestWindow: Milliseconds = 0
  /// Whether somebody else claimed the owner's bound id first.
  var isSquatted = false
  /// How many moves are explored from the theft on, in a build for debugging.
  let depth: Int

  var testDescription: String { name }

  static let cast = Cast.standard

  static func keys(
    _ name: String, _ keys: [String], of threshold: Int = 1, delay: Milliseconds = 0
  ) -> Tier {
    .keys(name: name, keys: keys.map { cast.key($0) }, threshold: threshold, delay: delay)
  }

  static let paper = keys("paper", ["P0"])
  static let friends = ["F0", "F1", "F2"]

  static let all = [
    World(name: "paper above the signer", tiers: [paper, .signer], depth: 4),
    World(
      name: "no paper, friends below the signer",
      tiers: [.signer, keys("friends", friends, of: 2, delay: 3 * day)], colluders: ["F0"],
      honestFriends: ["F1", "F2"], depth: 4),
    World(
      name: "a vault with delay above the signer", tiers: [keys("vault", ["V0"], delay: 2 * day), .signer], depth: 4),
    World(
      name: "paper, a vault with delay, the signer",
      tiers: [paper, keys("vault", ["V0"], delay: 2 * day), .signer], depth: 3),
    World(
      name: "quick friends above the signer, two of three with the thief",
      tiers: [paper, keys("friends", friends, of: 2), .signer], colluders: ["F0", "F1"], depth: 3),
    World(
      name: "quick friends above the signer, one of three with the thief",
      tiers: [keys("friends", friends, of: 2), .signer], colluders: ["F0"], honestFriends: ["F1", "F2"], depth: 4),
    World(
      name: "paper, signer, slow friends, admins",
      tiers: [paper, .signer, keys("friends", friends, of: 2, delay: 3 * day), .registrar(delay: 7 * day)],
      colluders: ["F0", "F1"], depth: 3),
    World(
      name: "a rival within the window", tiers: [keys("vault", ["V0"], delay: 2 * day), .signer],
      contestWindow: 7 * day, depth: 4),
    World(
      name: "a rival within the window, paper above the vault",
      tiers: [paper, keys("vault", ["V0"], delay: 2 * day), .signer], contestWindow: 7 * day, depth: 3),
    World(
      name: "a squatter on a bound id", tiers: [paper, .signer], contestWindow: 7 * day, isSquatted: true, depth: 3),
  ]

  /// How many moves are explored: one more where the rules run at full speed.
  var exploredDepth: Int {
    #if DEBUG
      depth
    #else
      depth + 1
    #endif
  }

  var policy: PolicyRules {
    guard let admins = Admins(keys: [Self.cast.key("A7")], threshold: 1) else { preconditionFailure("no admins") }
    return PolicyRules(admins: admins, contestWindow: contestWindow)
  }

  var authority: Authority {
    guard let authority = Authority(tiers: tiers) else { preconditionFailure("no authority: \(name)") }
    return authority
  }

  var app: AppID {
    guard let app = AppID("chat.example") else { preconditionFailure("no app id") }
    return app
  }

  /// Bound to the owner's claim where somebody squats on it; else such that no claim is bound to it.
  var subject: UserID {
    let commitment = BoundID.Commitment(
      created: Self.claimed, authority: authority, publicKey: Self.cast.key("O0"),
      publicBoxKey: Self.cast.boxKey(of: Self.cast.key("O0")))
    let bound = BoundID.id(for: commitment)
    let other = UserID(PeerstackID.timePart(now: Self.claimed) + "somebodysid0000")
    guard let id = isSquatted ? bound : other else { preconditionFailure("no user id") }
    return id
  }
}
