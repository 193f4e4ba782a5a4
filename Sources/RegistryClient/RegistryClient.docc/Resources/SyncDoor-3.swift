import KeyRecords
import RegistryCache
import RegistryClient
import RegistryConnection

/// The door through which objects of other devices come into an app.
struct SyncDoor: Sendable {
  private let quarantine: Quarantine
  private let updates: LiveUpdates

  init(app: AppID, registrar address: RegistrarAddress, network: RegistryNetwork, cache: String) throws {
    let store = try CacheFile(path: cache).store(of: app)
    let registrar = Registrar(name: address.description, transport: network.transport(to: address))
    let resolver = Resolver(app: app, registrars: [registrar], store: store)
    quarantine = Quarantine(signers: resolver, store: store)
    updates = LiveUpdates(resolver: resolver, registrar: registrar, store: store)
  }

  /// Those objects of a batch that may be stored and passed on; what cannot be judged yet is kept apart.
  func admit(_ batch: [[UInt8]]) async throws -> [[UInt8]] {
    let judgments = try await quarantine.verify(batch.map { UnverifiedObject($0) }).judgments
    return zip(batch, judgments).filter { $1.verdict == .valid }.map { $0.0 }
  }
}
