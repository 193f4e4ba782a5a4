/// All entries about one user of one app, in the order of their indexes.
///
/// A value without clock or I/O: registrar and client fold the same entries to the same state. What is appended must
/// have been accepted by ``judge(_:in:at:)``; a client does that through ``replay(_:policies:)``.
public struct KeyHistory: Sendable {
  /// An entry with what it was judged under.
  struct Item: Sendable {
    let entry: Entry
    let policy: PolicyRules
  }

  /// The app.
  public let app: AppID
  /// The user.
  public let subject: UserID
  private(set) var items: [Item] = []

  /// The history of a user nobody has claimed yet.
  public init(app: AppID, subject: UserID) {
    self.app = app
    self.subject = subject
  }

  /// The entries.
  public var entries: [Entry] { items.map(\.entry) }
  /// What each entry was judged under.
  public var policies: [PolicyRules] { items.map(\.policy) }
  /// How many entries there are.
  public var count: Int { items.count }
  /// Whether nobody has claimed the user yet.
  public var isEmpty: Bool { items.isEmpty }

  /// Adds an entry that was accepted under a policy.
  ///
  /// - Precondition: it is about this user, and not a policy.
  public mutating func append(_ entry: Entry, under policy: PolicyRules) {
    precondition(entry.content.subject == subject, "an entry of another user")
    items.append(Item(entry: entry, policy: policy))
  }

  /// The history as far as it had come at a time.
  public func prefix(acceptedUntil time: Milliseconds) -> KeyHistory {
    prefix { $0.accepted <= time }
  }

  /// The history up to an index, inclusive.
  public func prefix(throughIndex index: Int64) -> KeyHistory {
    prefix { $0.index <= index }
  }

  private func prefix(_ isIncluded: (Entry) -> Bool) -> KeyHistory {
    var history = self
    history.items = Array(items.prefix { isIncluded($0.entry) })
    return history
  }

  /// When, after `now`, time alone changes the state next: a pending record takes effect, or a contest lapses.
  public func nextChange(after now: Milliseconds) -> Milliseconds? {
    let fold = Fold(self, at: now)
    return [fold.pendingEffective, fold.contest?.end].compactMap(\.self).min()
  }
}
