import Testing

/// The rules hold for every order of events: all moves of all parties are played, and every position is held against
/// every check.
struct RuleExplorerTests {
  @Test(arguments: World.all)
  func rulesHoldInEveryPosition(world: World) {
    let explorer = Explorer(world)
    explorer.explore(depth: world.exploredDepth)
    for violation in explorer.violations.prefix(5) { Issue.record("\(violation)") }
    print("explored \(world.name): \(explorer.positionCount) positions, \(explorer.offerCount) records offered")
    // Less would mean that moves have gone missing, and with them what the checks say.
    #expect(explorer.positionCount > 500)
  }

  /// No check passes for want of something to check.
  @Test func everyCheckIsHeldAgainstSomething() {
    var counts: [Check: Int] = [:]
    for world in World.all {
      let explorer = Explorer(world)
      explorer.explore(depth: 2)
      counts.merge(explorer.counts, uniquingKeysWith: +)
    }
    for check in Check.allCases { #expect(counts[check, default: 0] > 0, "\(check.rawValue)") }
  }

  /// What is explored without signatures is what signed records do.
  @Test(arguments: World.all)
  func signedRecordsGoTheSameWay(world: World) throws {
    let explorer = Explorer(world)
    var sample: [Position] = []
    var visited = 0
    explorer.explore(depth: 2) { position in
      visited += 1
      if visited % 13 == 1 { sample.append(position) }
    }
    #expect(sample.count > 5)
    for position in sample { try SignedPath(world, position).expectSameState() }
  }
}
