import Cryptography
import KeyRecords
import PeerstackFormat

/// What is encrypted: the seeds of all keys, and what was done with them.
///
/// As bytes: the length of the notes (4 bytes, big-endian), the notes as canonical JSON, then 32 bytes of seed for
/// each key of the notes. The seeds are no JSON, so that they never are anywhere but in secret memory.
struct Contents: Sendable {
  private static let names: Set<String> = ["keys", "apps", "changes", "nextChange", "claim", "records"]
  private static let lengthCount = 4

  var keys: [HeldKey]
  /// In the order of the header's apps.
  var apps: [AppState]
  var changes: [KeyChange]
  var nextChange: Int64
  var claim: OriginalClaim?
  /// Hashes of the records that were made here, oldest first.
  var records: [RecordHash]
  /// The seeds of `keys`, one after the other.
  private(set) var seeds: SecretBytes

  init() {
    keys = []
    apps = []
    changes = []
    nextChange = 1
    claim = nil
    records = []
    seeds = SecretBytes(copying: [])
  }

  /// Adds a key at the end.
  mutating func append(_ key: SigningKey, created: Int64) {
    var bytes: [UInt8] = []
    // Exactly as much as is needed: growing would leave copies behind.
    bytes.reserveCapacity(seeds.count + SigningKey.seedCount)
    seeds.withBytes { $0.withUnsafeBufferPointer { bytes.append(contentsOf: $0) } }
    key.withSeed { $0.withUnsafeBufferPointer { bytes.append(contentsOf: $0) } }
    seeds = SecretBytes(wiping: &bytes)
    keys.append(HeldKey(publicKey: key.verifyingKey, created: created))
  }

  /// The secret of a public key; nil if it is not here.
  func signingKey(for publicKey: VerifyingKey) -> SigningKey? {
    guard let index = keys.firstIndex(where: { $0.publicKey == publicKey }) else { return nil }
    let start = index * SigningKey.seedCount
    let seed = seeds.withBytes { SecretBytes(copying: $0.extracting(start..<start + SigningKey.seedCount)) }
    guard let key = SigningKey(seed: seed), key.verifyingKey == publicKey else { return nil }
    return key
  }

  // MARK: As bytes

  /// Everything as bytes, in secret memory.
  var plaintext: SecretBytes {
    let notes = CanonicalJSON.bytes(of: .object(notes))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.lengthCount + notes.count + seeds.count)
    for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: notes.count >> shift)) }
    bytes += notes
    seeds.withBytes { $0.withUnsafeBufferPointer { bytes.append(contentsOf: $0) } }
    return SecretBytes(wiping: &bytes)
  }

  /// Reads what was decrypted. Only who knows the data key can have written it; it is checked all the same.
  init(_ plaintext: SecretBytes, header: Header) throws(KeystoreError) {
    let parts = plaintext.withBytes { Self.parts(of: $0) }
    guard let (notes, seeds) = parts else { throw .invalidField(pointer: "/sealed") }
    self.seeds = seeds
    let value: JSONValue
    do {
      value = try JSONValue.parseStrict(notes, maxDepth: KeystoreLimits.nesting)
    } catch {
      throw .invalidField(pointer: "/sealed")
    }
    let fields = try StrictFields(value, at: "/sealed", names: Self.names)
    keys = []
    for (value, place) in try fields.list("keys", limit: KeystoreLimits.keys) {
      keys.append(try HeldKey(value, at: place))
    }
    apps = []
    for (value, place) in try fields.list("apps", limit: KeystoreLimits.apps) {
      apps.append(try AppState(value, at: place, header: header))
    }
    changes = []
    for (value, place) in try fields.list("changes", limit: KeystoreLimits.changes) {
      changes.append(try KeyChange(value, at: place))
    }
    nextChange = try fields.integer("nextChange")
    let claim = try fields.value("claim")
    self.claim = claim.isNull ? nil : try OriginalClaim(claim, at: fields.pointer("claim"))
    records =
      fields.has("records") ? try fields.hashes("records", limit: KeystoreLimits.ownRecords) : []
    guard isConsistent(with: header) else { throw .invalidField(pointer: "/sealed") }
  }

  private static func parts(of bytes: Span<UInt8>) -> (notes: [UInt8], seeds: SecretBytes)? {
    guard bytes.count >= lengthCount else { return nil }
    var count = 0
    for index in 0..<lengthCount { count = count << 8 | Int(bytes[index]) }
    guard count <= bytes.count - lengthCount else { return nil }
    let notes = bytes.extracting(lengthCount..<lengthCount + count).withUnsafeBufferPointer { Array($0) }
    return (notes, SecretBytes(copying: bytes.extracting((lengthCount + count)...)))
  }

  /// Whether there is a seed for every key, and every key that is named is held.
  private func isConsistent(with header: Header) -> Bool {
    let held = Set(keys.map(\.publicKey))
    let named =
      apps.flatMap { $0.former + ($0.current.map { [$0] } ?? []) } + changes.compactMap(\.publicKey)
      + (claim.map { [$0.publicKey] } ?? [])
    let known = Set(header.apps.map(\.app))
    return held.count == keys.count && seeds.count == keys.count * SigningKey.seedCount
      && named.allSatisfy(held.contains) && apps.map(\.app) == header.apps.map(\.app)
      && changes.allSatisfy { known.contains($0.app) && $0.number < nextChange }
      && Set(changes.map(\.number)).count == changes.count
  }

  private var notes: JSONObject {
    [
      "keys": .array(keys.map(\.value)), "apps": .array(apps.map(\.value)),
      "changes": .array(changes.map(\.value)), "nextChange": .integer(nextChange),
      "claim": claim?.value ?? .null, "records": .array(records.map { .text($0.hex) }),
    ]
  }
}
