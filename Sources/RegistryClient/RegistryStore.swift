public import Cryptography
public import KeyRecords

/// A user's entries as a registrar gave them, judged before they were stored.
public struct StoredHistory: Sendable, Hashable {
  /// The entries' JSON texts, oldest first.
  public var entries: [[UInt8]]
  /// Up to when they were known to be all.
  public var asOf: AsOf
  /// When the registrar said so, by the client's clock.
  public var checked: Milliseconds

  /// A history to be stored.
  public init(entries: [[UInt8]], asOf: AsOf, checked: Milliseconds) {
    self.entries = entries
    self.asOf = asOf
    self.checked = checked
  }
}

/// One pin in place of another.
public struct PinChange: Sendable, Hashable {
  /// The user.
  public let user: UserID
  /// What the caller read: the pin, or nil for none.
  public let expected: Pin?
  /// What is to be there; nil removes the pin.
  public let pin: Pin?

  /// A change.
  public init(of user: UserID, from expected: Pin?, to pin: Pin?) {
    self.user = user
    self.expected = expected
    self.pin = pin
  }
}

/// An object whose signer was unknown when it came.
public struct QuarantinedObject: Sendable, Hashable {
  /// SHA-256 of ``text``: what tells objects apart.
  public let digest: Bytes32
  /// Who is said to have signed it.
  public let signer: UserID
  /// The object as it came.
  public let text: [UInt8]
  /// When it came, by the client's clock.
  public let received: Milliseconds

  /// An object to be kept apart.
  public init(text: [UInt8], signer: UserID, received: Milliseconds) {
    digest = SHA256.hash(text)
    self.signer = signer
    self.text = text
    self.received = received
  }
}

/// How much a quarantine holds.
public struct QuarantineLimits: Sendable, Hashable {
  /// Objects.
  public var count: Int
  /// Bytes of objects.
  public var bytes: Int
  /// Objects of one signer.
  public var countPerSigner: Int
  /// How long an object is kept.
  public var age: Milliseconds

  /// Limits: by default 10,000 objects of 64 MiB in all, 1,000 of one signer, for 30 days.
  public init(
    count: Int = 10_000, bytes: Int = 64 << 20, countPerSigner: Int = 1_000, age: Milliseconds = 30 * 24 * 3_600_000
  ) {
    self.count = count
    self.bytes = bytes
    self.countPerSigner = countPerSigner
    self.age = age
  }
}

/// Why a store did not do what it was asked to.
public struct StoreFailure: Error, Sendable, CustomStringConvertible {
  /// A sentence for people.
  public let description: String

  /// A failure.
  public init(_ description: String) { self.description = description }
}

/// What a client of one app keeps: histories, pins, policy chains, cursors and the quarantine.
///
/// Duties, all of which `StoreDuties` checks:
/// - What a call that returned has written is there for every later call, whoever makes it, and (for stores on disk)
///   after a crash. A call that throws has written nothing.
/// - Calls may come at the same time from several tasks, or processes; each is atomic.
/// - Texts come back byte for byte.
/// - Histories may be dropped to save space; pins, policy chains and cursors never.
/// - A pin is replaced only if it still is what the caller read.
/// - A call that has changed pins tells ``pinObservers`` before it returns.
///
/// What comes out of a store is judged again: it is kept, not trusted. What is lost with it are the pins.
public protocol RegistryStore: Sendable {
  /// The histories of these users as a registrar gave them; those that are not there are left out.
  func histories(of users: Set<UserID>, from registrar: String) async throws(StoreFailure) -> [UserID: StoredHistory]
  /// Puts histories in place of earlier ones of the same users and registrar.
  func save(_ histories: [UserID: StoredHistory], from registrar: String) async throws(StoreFailure)

  /// Who is told of pins that are changed through this store. What other processes change is not told.
  var pinObservers: PinObservers { get }

  /// The pins of these users; those that are not there are left out.
  func pins(of users: Set<UserID>) async throws(StoreFailure) -> [UserID: Pin]
  /// Every pin.
  func allPins() async throws(StoreFailure) -> [Pin]
  /// Makes those changes whose expected pin is the one that is there, and leaves the others alone: their users.
  func replacePins(_ changes: [PinChange]) async throws(StoreFailure) -> Set<UserID>

  /// The policy chain of a registrar, as entries' JSON texts; empty if there is none.
  func policies(from registrar: String) async throws(StoreFailure) -> [[UInt8]]
  /// Puts a policy chain in place of the earlier one.
  func savePolicies(_ entries: [[UInt8]], from registrar: String) async throws(StoreFailure)

  /// The index up to which a registrar's feed was followed; nil if it never was.
  func cursor(of registrar: String) async throws(StoreFailure) -> Int64?
  /// Sets a cursor.
  func saveCursor(_ index: Int64, of registrar: String) async throws(StoreFailure)

  /// Adds objects; of one that is there already only the signer is replaced. Then drops what is too old at `now`, and
  /// the oldest until the limits hold. One that is too large for the limits drives nobody out. The number that was
  /// dropped, those among `objects` included.
  func quarantine(
    _ objects: [QuarantinedObject], limits: QuarantineLimits, now: Milliseconds
  ) async throws(StoreFailure) -> Int
  /// Who has objects in the quarantine.
  func quarantinedSigners() async throws(StoreFailure) -> Set<UserID>
  /// The objects of these signers, oldest first.
  func quarantined(by signers: Set<UserID>) async throws(StoreFailure) -> [QuarantinedObject]
  /// Removes objects.
  func release(_ digests: Set<Bytes32>) async throws(StoreFailure)
}
