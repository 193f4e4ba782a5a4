import Cryptography
import PeerstackFormat

/// How far approvals meet the demand of each tier of the head's authority (protocol §4, §5.5).
struct Demands {
  /// Approvals that each tier lacks.
  let missing: [Int]
  private let signerRank: Int

  init(_ approving: Set<VerifyingKey>, of fold: Fold, policy: PolicyRules) {
    guard let head = fold.head?.record else {
      missing = []
      signerRank = 0
      return
    }
    signerRank = head.authority.signerRank
    missing = head.authority.tiers.map { tier in
      switch tier {
      case .keys(_, let keys, let threshold, _): max(0, threshold - keys.count(where: approving.contains))
      // A revoked key has no rank.
      case .signer: !fold.isLocked && approving.contains(head.publicKey) ? 0 : 1
      case .registrar: policy.admins.missing(from: approving)
      }
    }
  }

  /// The smallest rank whose demand is met.
  var rank: Int? { missing.firstIndex(of: 0) }

  /// The rank a record is authorised at, if its action may be done at that rank (§5.5).
  func authorisedRank(for action: KeyRecord.Action, isLocked: Bool) throws(Refusal) -> Int {
    guard let rank, !isLocked || action == .recover || action == .retire, isAllowed(action, at: rank) else {
      throw Refusal(
        .notAuthorised,
        [
          "rank": rank.map { .integer(Int64($0)) } ?? .null,
          "missing": .array(missing.map { .integer(Int64($0)) }),
        ])
    }
    return rank
  }

  private func isAllowed(_ action: KeyRecord.Action, at rank: Int) -> Bool {
    switch action {
    case .rotate: rank == signerRank
    case .recover: rank != signerRank
    case .amend: true
    case .revoke: rank <= signerRank
    case .retire: rank == 0
    case .claim: false
    }
  }
}
