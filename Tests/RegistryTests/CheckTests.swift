import Cryptography
import KeyRecords
import PeerstackFormat
import Postgres
import Registry
import Testing

/// The check finds what is not as the entries say, and an import is judged.
@Suite struct CheckTests {
  /// An app with a user of three records, one with an invitation, and a second policy.
  private func populate(_ fixture: Fixture) async throws -> RegistryApp {
    let app = try await fixture.app(in: fixture.registry()) { $0.admission = .invite }
    for number in 0..<3 {
      let person = try Person(app: fixture.app, now: fixture.clock.now)
      let claim = try person.invited(by: fixture.admin, nonce: "\(number)", expires: fixture.clock.now + 1_000)
      #expect(try await app.submit(claim).isCreated)
      fixture.clock.advance(by: 10)
      let rotated = try person.rotated(at: fixture.clock.now)
      #expect(try await app.submit(rotated.body).isCreated)
      fixture.clock.advance(by: 10)
      #expect(try await app.submit(rotated.amended(at: fixture.clock.now).body).isCreated)
    }
    return app
  }

  @Test(arguments: [
    "update entries set accepted = accepted + 1 where index = 2",
    "update entries set effective = effective + 1 where index = 4",
    "update entries set rank = 0 where index = 5",
    "update entries set rank = null where index = 5",
    "delete from entries where index = 9",
    "delete from entries where index = 4",
    "update entries set hash = decode(repeat('ab', 32), 'hex') where index = 3",
    "update entries set record = set_byte(record, length(record) / 2, get_byte(record, length(record) / 2) # 1) where index = 3",
    "update entries set subject = (select subject from entries where index = 4) where index = 1",
    "update apps set next_index = next_index + 1",
    "update apps set last_accepted = last_accepted + 1",
    "update apps set user_count = user_count - 1",
    "update apps set policy_index = 1",
    "update users set last_index = last_index - 1 where last_index = 3",
    "update users set entry_count = entry_count + 1 where last_index = 3",
    "delete from users where last_index = 3",
    "insert into users select app, 'zzzzzzzzzzzzzzzzzzzzzzzzz', 1, 1 from apps",
    "delete from used_keys where index = 2",
    "update used_keys set index = 3 where index = 2",
    "insert into used_keys select app, decode(repeat('01', 32), 'hex'), 'zzzzzzzzzzzzzzzzzzzzzzzzz', 1 from apps",
    "update used_nonces set index = 2 where index = 1",
    "update used_nonces set index = 99 where index = 1",
  ])
  func itFinds(_ damage: String) async throws {
    let number = damage.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff_ffff }
    try await withFixture("check_finds_\(number)") { fixture in
      _ = try await populate(fixture)
      let report = try await Registry.check(fixture.postgres, app: fixture.app, loop: fixture.loop)
      #expect(report.differences == [] && report.entryCount == 10 && report.userCount == 3 && report.appCount == 1)
      let damaged = try await fixture.sql(damage)
      #expect(damaged.affectedCount == 1)
      #expect(try await !fixture.differences().isEmpty)
    }
  }

  @Test func anImportIsWhatWasExported() async throws {
    try await withFixture("check_export") { fixture in
      let app = try await populate(fixture)
      let exported = try await app.export(after: nil)
      let lines = exported.split(separator: UInt8(ascii: "\n")).map { Array($0) }
      try await withFixture("check_import", app: fixture.app) { other in
        try await refusals(lines, other)
        let count = try await Registry.importEntries(
          lines, app: other.app, postgres: other.postgres, loop: other.loop, now: fixture.clock.now)
        #expect(count == 10)
        #expect(try await other.differences() == [])
        let imported = try await other.app(in: other.registry())
        #expect(try await imported.export(after: nil) == exported)
        let (here, there) = (try app.snapshot(), try imported.snapshot())
        #expect(here.users == there.users && here.policyText == there.policyText)
        let again = await #expect(throws: ImportError.self) {
          try await Registry.importEntries(
            lines, app: other.app, postgres: other.postgres, loop: other.loop, now: fixture.clock.now)
        }
        #expect(again?.line == nil)
      }
    }
  }

  /// Nothing of an import that is refused stays.
  private func refusals(_ lines: [[UInt8]], _ other: Fixture) async throws {
    func text(_ line: Int, replacing old: String, by new: String) -> [[UInt8]] {
      var lines = lines
      lines[line] = Array(
        String(decoding: lines[line], as: UTF8.self).replacing(old, with: new, maxReplacements: 1).utf8)
      return lines
    }
    var swapped = lines
    swapped.swapAt(3, 4)
    let cases: [(String, [[UInt8]], Int?)] = [
      ("cut at the front", Array(lines.dropFirst()), 1),
      ("a line left out", lines.enumerated().filter { $0.offset != 5 }.map(\.element), 6),
      ("two lines swapped", swapped, 4),
      ("another rank", text(2, replacing: "\"rank\":1", by: "\"rank\":0"), 3),
      ("another time", text(2, replacing: "\"effective\":1", by: "\"effective\":2"), 3),
      ("another key", text(1, replacing: "\"publicKey\":\"", by: "\"publicKey\":\"A"), 2),
      ("no JSON", lines + [Array("x".utf8)], 11),
      ("nothing", [], nil),
    ]
    for (name, lines, line) in cases {
      let error = await #expect(throws: ImportError.self, "\(name)") {
        try await Registry.importEntries(
          lines, app: other.app, postgres: other.postgres, loop: other.loop, now: other.clock.now + 100)
      }
      #expect(error?.line == line, "\(name): \(String(describing: error))")
    }
    let future = await #expect(throws: ImportError.self) {
      try await Registry.importEntries(
        lines, app: other.app, postgres: other.postgres, loop: other.loop, now: other.clock.now - 400_000)
    }
    #expect(future?.line == 1)
    for table in ["apps", "entries", "users", "used_keys"] {
      let rows = try await other.sql("select count(*) from \(table)")
      #expect(try rows[0].int64(0) == 0)
    }
  }
}
