import KeyRecords
import RegistryClient
import RegistryTestKit

/// A resolver's answer from memory against the look-up of the same user in a dictionary.
enum ResolverRow {
  /// Longer than any run: nothing that is in memory is asked for again.
  private static let freshFor: Milliseconds = 24 * 3_600_000

  /// Arguments: users, look-ups of the resolver in a round, rounds. Prints seconds for one look-up: for each round a line
  /// of single calls, then for each a line of calls for all users at once.
  static func run(_ arguments: [String]) async throws {
    let (count, lookUps) = (try number(0, of: arguments), try number(1, of: arguments))
    let rounds = try number(2, of: arguments)
    guard let app = AppID("bench.example"), let registrar = TestRegistrar(app: app, clock: SystemClock()) else {
      throw Trouble("no registrar")
    }
    var users: [UserID] = []
    for _ in 0..<count {
      guard let user = TestUser(app: app, created: TestPerson.now) else { throw Trouble("no user") }
      try await registrar.submit(user.claim(at: TestPerson.now))
      users.append(user.id)
    }
    var settings = ResolverSettings()
    settings.freshFor = freshFor
    let resolver = Resolver(
      app: app, registrars: [Registrar(name: "bench", transport: registrar)], store: MemoryStore(), settings: settings)
    let known = try await resolver.resolve(Set(users)).compactMapValues(\.user)
    guard known.count == count else { throw Trouble("\(known.count) of \(count) users were resolved") }
    let row = LookUps(resolver: resolver, known: known, users: users)
    let asked = await registrar.requests.count
    _ = try await row.ours(lookUps)
    for isBatch in [false, true] {
      for round in 0..<rounds {
        let early = round % 2 == 0 ? try row.bare(lookUps * 100) : nil
        let ours = isBatch ? try await row.batch(lookUps * 10) : try await row.ours(lookUps)
        printPair(ours: ours, peer: try early ?? row.bare(lookUps * 100))
      }
    }
    guard await registrar.requests.count == asked else { throw Trouble("not every look-up was answered from memory") }
  }

  private struct LookUps {
    let resolver: Resolver
    let known: [UserID: ResolvedUser]
    let users: [UserID]

    func ours(_ count: Int) async throws -> Cost {
      var found = 0
      let cost = try await Cost {
        for index in 0..<count {
          // All users in turns, far from the one before.
          let user = users[(index &* 7_919) % users.count]
          if try await resolver.resolve(user).user != nil { found += 1 }
        }
      }
      guard found == count else { throw Trouble("\(found) of \(count) look-ups found their user") }
      return cost.each(of: count)
    }

    /// All users in each call.
    func batch(_ count: Int) async throws -> Cost {
      let (set, calls) = (Set(users), max(1, count / users.count))
      var found = 0
      let cost = try await Cost {
        for _ in 0..<calls { found += try await resolver.resolve(set).count }
      }
      guard found == calls * users.count else { throw Trouble("\(found) users were found") }
      return cost.each(of: found)
    }

    /// Not inlined, so that the answer is handed over as the resolver hands it over, and not only found to be there.
    @inline(never)
    private func look(_ user: UserID) -> ResolvedUser? { known[user] }

    func bare(_ count: Int) throws -> Cost {
      var found = 0
      let cost = Cost {
        for index in 0..<count where look(users[(index &* 7_919) % users.count]) != nil { found += 1 }
      }
      guard found == count else { throw Trouble("\(found) of \(count) look-ups found their user") }
      return cost.each(of: count)
    }
  }
}
