import KeyRecords
import PeerstackFormat
import RegistryAPI

/// The policy chain of one registrar: judged, pinned, and fetched again only when entries might be newer than it.
struct PolicyBook {
  private let registrar: Registrar
  private let app: AppID
  private(set) var chain: AppHistory?
  /// Every policy with an index up to this is in the chain.
  private(set) var through: Int64 = -1
  private(set) var entityTag: String?

  init(registrar: Registrar, app: AppID) {
    self.registrar = registrar
    self.app = app
  }

  /// Bytes of an answer: a policy is at most 8 KiB, and changes rarely.
  static let maxAnswerBytes = 8 << 20

  /// Takes over what was stored. It is judged like everything else.
  mutating func restore(_ texts: [[UInt8]]) throws(Conflict) {
    guard !texts.isEmpty else { return }
    guard let values = EntryList.read(texts) else {
      throw Conflict(.policy, "the stored policies are no JSON", evidence: [Evidence(source: "store", entries: texts)])
    }
    chain = try judged(values, source: "store")
  }

  /// The chain has not changed, and is complete up to an index.
  mutating func confirm(through index: Int64) { through = max(through, index) }

  /// Takes a chain as the registrar gives it: it must go on from the one that was known when it was asked for.
  ///
  /// - Parameter asked: How many policies were known then.
  mutating func take(
    _ values: [JSONValue], asked: Int, entityTag: String?, through index: Int64, clock: Milliseconds
  ) throws(Conflict) {
    let next = try judged(values, source: registrar.name)
    if let chain, chain.entries.count > asked, next.entries.count >= asked,
      HistoryRules.extends(chain.entries, next.entries)
    {
      // An answer that was overtaken by another is no rollback.
      return confirm(through: index)
    }
    func conflict(_ kind: Conflict.Kind, _ reason: String) -> Conflict {
      let known = chain.map { [Evidence(source: "store", entries: $0.entries.map(\.text))] } ?? []
      return Conflict(
        kind, reason, evidence: known + [Evidence(source: registrar.name, entries: next.entries.map(\.text))])
    }
    if let chain, !HistoryRules.extends(next.entries, chain.entries) {
      throw conflict(.policy, "policies that were there before are missing: a rollback or a fork")
    }
    do throws(Contradiction) {
      try HistoryRules.checkFuture(next.entries, asOf: nil, clock: clock)
    } catch {
      throw conflict(.policy, error.reason)
    }
    chain = next
    self.entityTag = entityTag
    confirm(through: index)
  }

  private func judged(_ values: [JSONValue], source: String) throws(Conflict) -> AppHistory {
    let evidence = [Evidence(source: source, entries: values.map { CanonicalJSON.bytes(of: $0) })]
    let chain: AppHistory
    do throws(Contradiction) {
      chain = try HistoryRules.chain(values, app: app)
    } catch {
      throw Conflict(.policy, error.reason, evidence: evidence)
    }
    if let expected = registrar.firstPolicy, chain.entries.first?.content.hash != expected {
      throw Conflict(.policy, "the first policy is not the one that this app was given", evidence: evidence)
    }
    return chain
  }
}
