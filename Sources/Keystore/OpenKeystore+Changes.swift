import Cryptography
import KeyRecords
import PeerstackFormat

// The steps of a key change, on the value alone.
extension OpenKeystore {
  /// Adds a key that is not held yet.
  mutating func addKey(_ key: SigningKey, created: Int64) throws(KeystoreError) {
    guard !contents.keys.contains(where: { $0.publicKey == key.verifyingKey }) else { return }
    guard contents.keys.count < KeystoreLimits.keys else { throw .tooMany("keys", limit: KeystoreLimits.keys) }
    guard 0...JSONValue.maxSafeInteger ~= created else { throw .invalidChange("\(created) is no time") }
    contents.append(key, created: created)
  }

  mutating func noteOriginalClaim(_ claim: OriginalClaim) throws(KeystoreError) {
    try requireHeld(claim.publicKey)
    guard contents.claim == nil || contents.claim == claim else {
      throw .invalidChange("the original claim is noted already, and another one")
    }
    contents.claim = claim
  }

  mutating func begin(
    _ action: KeyRecord.Action, in app: AppID, key: KeyChange.KeySource?, at now: Int64
  ) throws(KeystoreError) -> KeyChange {
    _ = try index(of: app)
    guard action.bringsKey == (key != nil) else {
      throw .invalidChange(action.bringsKey ? "\(action.rawValue) needs a key" : "\(action.rawValue) brings no key")
    }
    guard contents.changes.count < KeystoreLimits.changes else {
      throw .tooMany("changes", limit: KeystoreLimits.changes)
    }
    guard 0...JSONValue.maxSafeInteger ~= now else { throw .invalidChange("\(now) is no time") }
    let change = KeyChange(
      number: contents.nextChange, app: app, action: action, publicKey: try publicKey(of: key, at: now), begun: now)
    contents.nextChange += 1
    contents.changes.append(change)
    return change
  }

  private mutating func publicKey(of source: KeyChange.KeySource?, at now: Int64) throws(KeystoreError) -> VerifyingKey?
  {
    switch source {
    case nil: return nil
    case .held(let key):
      try requireHeld(key)
      return key
    case .generated:
      let key = SigningKey.generate()
      try addKey(key, created: now)
      return key.verifyingKey
    }
  }

  mutating func attach(draft: String, to number: Int64) throws(KeystoreError) -> KeyChange {
    let index = try index(of: number)
    guard contents.changes[index].record == nil else { throw .invalidChange("its record is signed already") }
    guard (1...KeystoreLimits.recordBytes).contains(draft.utf8.count) else {
      throw .invalidChange("a draft has 1 to \(KeystoreLimits.recordBytes) bytes")
    }
    contents.changes[index].draft = draft
    return contents.changes[index]
  }

  mutating func attach(_ record: String, to number: Int64) throws(KeystoreError) -> KeyChange {
    let index = try index(of: number)
    guard (1...KeystoreLimits.recordBytes).contains(record.utf8.count) else {
      throw .invalidChange("a record has 1 to \(KeystoreLimits.recordBytes) bytes")
    }
    contents.changes[index].record = record
    contents.changes[index].draft = nil
    try noteOwn([RecordHash(of: Array(record.utf8))], in: contents.changes[index].app)
    return contents.changes[index]
  }

  /// Keeps the hashes of records as this keystore's own doing.
  mutating func noteOwn(_ records: [RecordHash], in app: AppID) throws(KeystoreError) {
    contents.apps[try index(of: app)].beginRecords()
    for record in records where !contents.records.contains(record) { contents.records.append(record) }
    contents.records.removeFirst(max(0, contents.records.count - KeystoreLimits.ownRecords))
  }

  mutating func accept(_ number: Int64, effective: Int64) throws(KeystoreError) -> KeyChange {
    let index = try index(of: number)
    guard contents.changes[index].record != nil else { throw .invalidChange("no record was attached") }
    guard 0...JSONValue.maxSafeInteger ~= effective else { throw .invalidChange("\(effective) is no time") }
    contents.changes[index].effective = effective
    return contents.changes[index]
  }

  mutating func complete(_ number: Int64) throws(KeystoreError) {
    let change = contents.changes.remove(at: try index(of: number))
    let app = try index(of: change.app)
    switch change.action {
    case .claim, .rotate, .recover: contents.apps[app].set(.active, current: change.publicKey)
    case .revoke: contents.apps[app].set(.locked, current: nil)
    case .retire: contents.apps[app].set(.retired, current: nil)
    case .amend: break
    }
  }

  mutating func abandon(_ number: Int64) throws(KeystoreError) {
    contents.changes.remove(at: try index(of: number))
  }

  mutating func settle(
    _ app: AppID, status: AppState.Status, current: VerifyingKey?, mark: HistoryMark? = nil
  ) throws(KeystoreError) {
    let index = try index(of: app)
    guard (current != nil) == (status == .active) else {
      throw .invalidChange(status == .active ? "active needs a key" : "\(status.rawValue) has no key")
    }
    if let current { try requireHeld(current) }
    contents.apps[index].set(status, current: current)
    if let mark { contents.apps[index].note(mark) }
  }

  private func requireHeld(_ key: VerifyingKey) throws(KeystoreError) {
    guard contents.keys.contains(where: { $0.publicKey == key }) else { throw .unknownKey(key) }
  }

  private func index(of number: Int64) throws(KeystoreError) -> Int {
    guard let index = contents.changes.firstIndex(where: { $0.number == number }) else { throw .unknownChange(number) }
    return index
  }

  private func index(of app: AppID) throws(KeystoreError) -> Int {
    guard let index = contents.apps.firstIndex(where: { $0.app == app }) else { throw .unknownApp(app) }
    return index
  }
}
