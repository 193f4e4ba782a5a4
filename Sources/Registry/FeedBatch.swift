public import KeyRecords

/// Entries that have just been published, in the order of their indexes and without gaps.
public struct FeedBatch: Sendable {
  /// One entry.
  public struct Item: Sendable {
    /// Its index.
    public let index: Int64
    /// The user it is about; nil for a policy.
    public let subject: UserID?
    /// The JSON text of the entry.
    public let text: [UInt8]
  }

  /// The app.
  public let app: AppID
  /// The entries.
  public let items: [Item]
}

/// A subscription to the entries of an app; ``cancel()`` ends it.
public final class FeedSubscription: Sendable {
  /// The latest index at the beginning: every later entry is delivered, and none before it.
  public let startIndex: Int64
  private let onCancel: @Sendable () -> Void

  init(startIndex: Int64, onCancel: @escaping @Sendable () -> Void) {
    self.startIndex = startIndex
    self.onCancel = onCancel
  }

  /// Ends the subscription. A call that is under way on another thread may still come.
  public func cancel() { onCancel() }
}
