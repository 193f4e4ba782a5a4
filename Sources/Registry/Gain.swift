import Cryptography
import KeyRecords

/// What accepted submissions add to the database.
struct Gain: Sendable {
  /// A signing key that an accepted record brought in for the first time for its user.
  struct UsedKey: Sendable, Hashable {
    let key: VerifyingKey
    let subject: UserID
    let index: Int64
  }

  /// The nonce of an invitation that a claim was accepted with, as UTF-8.
  struct UsedNonce: Sendable, Hashable {
    let nonce: [UInt8]
    let index: Int64
  }

  /// A user that has new entries: what is kept of it beside them.
  struct User: Sendable, Hashable {
    var entryCount: Int64
    var lastIndex: Int64
  }

  let app: AppID
  /// The entries, in order.
  private(set) var entries: [Entry] = []
  var usedKeys: [UsedKey] = []
  var usedNonces: [UsedNonce] = []
  private(set) var users: [UserID: User] = [:]
  private(set) var newUserCount: Int64 = 0
  /// The index of the policy that was accepted last, if one was.
  private(set) var policyIndex: Int64?

  init(app: AppID) { self.app = app }

  /// Adds an entry.
  ///
  /// - Parameter countBefore: how many entries the user had before.
  mutating func add(_ entry: Entry, countBefore: Int) {
    entries.append(entry)
    guard let subject = entry.content.subject else {
      policyIndex = entry.index
      return
    }
    if countBefore == 0 { newUserCount += 1 }
    users[subject] = User(entryCount: Int64(countBefore) + 1, lastIndex: entry.index)
  }
}
