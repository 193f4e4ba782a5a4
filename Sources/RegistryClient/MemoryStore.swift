public import Cryptography
public import KeyRecords

/// A store that forgets everything when the process ends.
public actor MemoryStore: RegistryStore {
  private struct Key: Hashable {
    let user: UserID
    let registrar: String
  }

  /// See ``RegistryStore``.
  public nonisolated let pinObservers = PinObservers()

  private var histories: [Key: StoredHistory] = [:]
  private var pins: [UserID: Pin] = [:]
  private var policies: [String: [[UInt8]]] = [:]
  private var cursors: [String: Int64] = [:]
  /// Oldest first.
  private var objects: [QuarantinedObject] = []

  /// An empty store.
  public init() {}

  /// See ``RegistryStore``.
  public func histories(of users: Set<UserID>, from registrar: String) -> [UserID: StoredHistory] {
    var found: [UserID: StoredHistory] = [:]
    for user in users { found[user] = histories[Key(user: user, registrar: registrar)] }
    return found
  }

  /// See ``RegistryStore``.
  public func save(_ histories: [UserID: StoredHistory], from registrar: String) {
    for (user, history) in histories { self.histories[Key(user: user, registrar: registrar)] = history }
  }

  /// See ``RegistryStore``.
  public func pins(of users: Set<UserID>) -> [UserID: Pin] {
    var found: [UserID: Pin] = [:]
    for user in users { found[user] = pins[user] }
    return found
  }

  /// See ``RegistryStore``.
  public func allPins() -> [Pin] { Array(pins.values) }

  /// See ``RegistryStore``.
  public func replacePins(_ changes: [PinChange]) -> Set<UserID> {
    var left: Set<UserID> = []
    for change in changes {
      if pins[change.user] == change.expected { pins[change.user] = change.pin } else { left.insert(change.user) }
    }
    pinObservers.tell(Set(changes.map(\.user)).subtracting(left))
    return left
  }

  /// See ``RegistryStore``.
  public func policies(from registrar: String) -> [[UInt8]] { policies[registrar] ?? [] }

  /// See ``RegistryStore``.
  public func savePolicies(_ entries: [[UInt8]], from registrar: String) { policies[registrar] = entries }

  /// See ``RegistryStore``.
  public func cursor(of registrar: String) -> Int64? { cursors[registrar] }

  /// See ``RegistryStore``.
  public func saveCursor(_ index: Int64, of registrar: String) { cursors[registrar] = index }

  /// See ``RegistryStore``.
  public func quarantine(_ objects: [QuarantinedObject], limits: QuarantineLimits, now: Milliseconds) -> Int {
    var places = Dictionary(uniqueKeysWithValues: zip(self.objects.map(\.digest), self.objects.indices))
    for object in objects {
      if let place = places[object.digest] {
        self.objects[place] = QuarantinedObject(
          text: object.text, signer: object.signer, received: self.objects[place].received)
      } else {
        places[object.digest] = self.objects.count
        self.objects.append(object)
      }
    }
    self.objects.sort { $0.received < $1.received }
    let before = self.objects.count
    var (count, bytes) = (0, 0)
    var perSigner: [UserID: Int] = [:]
    // From the newest on, as long as there is room.
    var kept: [QuarantinedObject] = []
    for object in self.objects.reversed()
    where object.received > now - limits.age && object.text.count <= limits.bytes {
      guard count < limits.count, bytes + object.text.count <= limits.bytes else { break }
      guard perSigner[object.signer, default: 0] < limits.countPerSigner else { continue }
      perSigner[object.signer, default: 0] += 1
      count += 1
      bytes += object.text.count
      kept.append(object)
    }
    self.objects = kept.reversed()
    return before - kept.count
  }

  /// See ``RegistryStore``.
  public func quarantinedSigners() -> Set<UserID> { Set(objects.map(\.signer)) }

  /// See ``RegistryStore``.
  public func quarantined(by signers: Set<UserID>) -> [QuarantinedObject] {
    objects.filter { signers.contains($0.signer) }
  }

  /// See ``RegistryStore``.
  public func release(_ digests: Set<Bytes32>) { objects.removeAll { digests.contains($0.digest) } }
}
