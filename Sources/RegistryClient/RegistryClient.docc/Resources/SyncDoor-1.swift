import KeyRecords
import RegistryCache
import RegistryClient
import RegistryConnection

/// The door through which objects of other devices come into an app.
struct SyncDoor: Sendable {
  init(app: AppID, registrar address: RegistrarAddress, network: RegistryNetwork, cache: String) throws {
    let store = try CacheFile(path: cache).store(of: app)
    let registrar = Registrar(name: address.description, transport: network.transport(to: address))
    let resolver = Resolver(app: app, registrars: [registrar], store: store)
  }
}
