import PeerstackFormat

extension Judgment {
  /// How many records of a rank may be accepted in a window that ends now (protocol §5.12).
  private struct Rate {
    let count: Int
    let window: Milliseconds
  }

  /// Refuses a record of a rank that has had its share.
  func checkRate(_ rank: Int, isAboveSigner: Bool) throws(Refusal) {
    guard circumstances.registrarView != nil else { return }
    let accepted = acceptedTimes(of: rank)
    let rates =
      isAboveSigner
      ? [Rate(count: Limits.recordsPerWeekAboveSigner, window: Limits.week)]
      : [
        Rate(count: Limits.recordsPerHour, window: Limits.hour),
        Rate(count: Limits.recordsPerWeek, window: Limits.week),
      ]
    let waits = rates.compactMap { wait(for: $0, accepted) }
    guard let wait = waits.max() else { return }
    throw Refusal(.rateLimited, ["retryAfter": .integer((wait + 999) / 1_000)])
  }

  /// When records of this rank were accepted, oldest first. Claims, adjudications and what §6 made `refused` do not
  /// count.
  private func acceptedTimes(of rank: Int) -> [Milliseconds] {
    fold.items.indices.compactMap { item in
      let entry = fold.items[item].entry
      guard entry.rank == rank, fold.statuses[item] != .refused else { return nil }
      return entry.accepted
    }
  }

  /// How long until the window has room; nil where it has.
  private func wait(for rate: Rate, _ accepted: [Milliseconds]) -> Milliseconds? {
    let inWindow = accepted.filter { $0 > now - rate.window }
    guard inWindow.count >= rate.count else { return nil }
    // When this one has left the window, one less than the limit is in it.
    return inWindow[inWindow.count - rate.count] + rate.window - now
  }
}
