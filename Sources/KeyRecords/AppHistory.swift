import PeerstackFormat

/// The policies of an app, each in force from its acceptance on (protocol §7).
public struct AppHistory: Sendable {
  /// The app.
  public let app: AppID
  /// The policy chain, oldest first; every entry holds a policy.
  public private(set) var entries: [Entry] = []
  private var policies: [AppPolicy] = []

  /// The history of an app that has not been created yet.
  public init(app: AppID) { self.app = app }

  /// The policy in force; nil for an app that has not been created.
  public var current: AppPolicy? { policies.last }

  /// The policy under which an entry was judged: the last one with a smaller index.
  public func policy(before index: Int64) -> AppPolicy? {
    entries.lastIndex { $0.index < index }.map { policies[$0] }
  }

  /// Judges a policy (5.1 is its type; 5.2, 5.4, §7): approved by the admins of the policy before, or if it is the first
  /// by its own.
  public func judge(_ policy: AppPolicy, at now: Milliseconds) -> Verdict {
    if let position = policies.firstIndex(where: { $0.hash == policy.hash }) { return .same(entries[position]) }
    do throws(Refusal) {
      try checkClock(policy.modified, now: now)
      if let head = current {
        guard policy.previous == head.hash, policy.sequence == head.sequence + 1 else {
          throw Refusal(.staleHead, ["head": .text(head.hash.hex), "sequence": .integer(head.sequence)])
        }
        guard policy.modified > head.modified else { throw Refusal(.clockSkew, ["after": .integer(head.modified)]) }
      } else if policy.sequence != 0 {
        throw Refusal(.unknownApp)
      }
      let missing = (current ?? policy).rules.admins.missing(from: policy.approving)
      guard missing == 0 else { throw Refusal(.notAuthorised, ["missing": .integer(Int64(missing))]) }
      return .accepted(Acceptance(effect: .effective, rank: nil, tier: nil, effective: now, stoppableBy: nil))
    } catch {
      return .refused(error)
    }
  }

  /// Adds an entry that holds a policy which ``judge(_:at:)`` has accepted; anything else is left out.
  public mutating func append(_ entry: Entry) {
    guard case .policy(let policy) = entry.content else { return }
    entries.append(entry)
    policies.append(policy)
  }
}
