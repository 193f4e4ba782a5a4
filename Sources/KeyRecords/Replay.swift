import PeerstackFormat

/// Why entries that somebody offered are no history (protocol §9): the rules refuse one, or what it says of its own rank,
/// effect or place contradicts them.
public struct ReplayConflict: Error, Hashable, Sendable {
  /// The index of the entry, as it was given.
  public let index: Int64
  /// What is wrong with it, as a sentence for people.
  public let reason: String
}

extension KeyHistory {
  /// Judges an entry at its own acceptance, as a client does, and appends it.
  ///
  /// - Parameter policy: the last one with a smaller index.
  public mutating func replay(_ entry: Entry, under policy: PolicyRules) throws(ReplayConflict) {
    func conflict(_ reason: String) -> ReplayConflict { ReplayConflict(index: entry.index, reason: reason) }
    guard entry.content.subject == subject else { throw conflict("the entry is about another user") }
    if let last = items.last?.entry {
      guard entry.index > last.index else { throw conflict("the indexes do not rise") }
      guard entry.accepted >= last.accepted else { throw conflict("the entry was accepted before the one before it") }
    }
    let circumstances = Circumstances(now: entry.accepted, policy: policy, registrarView: nil)
    switch judge(entry.content, in: self, at: circumstances) {
    case .accepted(let acceptance):
      guard acceptance.rank == entry.rank, acceptance.effective == entry.effective else {
        throw conflict("rank or effect are not what the rules say")
      }
      append(entry, under: policy)
    case .same: throw conflict("the same record comes twice")
    case .refused(let refusal): throw conflict("the rules refuse it: \(refusal.code.rawValue)")
    }
  }
}
