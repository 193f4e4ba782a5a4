import Cryptography
import Glibc
import KeyRecords
import PeerstackFormat

@testable import RegistryClient

/// What must hold for every input (see ../README.md).
func checkInput(_ bytes: [UInt8]) {
  if bytes.first == UInt8(ascii: "{") {
    checkText(bytes)
  } else {
    checkBentAnswer(bytes)
  }
}

/// Lives as long as the program. A policy among the entries is referred to by a word that says in its highest bits which
/// case of `Submission` it is: the search for leaks does not take that for a pointer, so it leaves out what is made here.
private let cast: Cast = {
  withoutLeakSearch()
  defer { withLeakSearch() }
  return Cast()
}()
private let honest: [UserID: [JSONValue]] = cast.entries.mapValues { $0.map { json($0.text) } }
private let aliceHashes = cast.entries[cast.alice, default: []].map(\.content.hash)

@_silgen_name("__lsan_disable") private func withoutLeakSearch()
@_silgen_name("__lsan_enable") private func withLeakSearch()

/// Says what was broken, which `precondition` does not in optimised code.
private func demand(_ holds: Bool, _ what: StaticString = "it does not hold", line: UInt = #line) {
  if !holds { fail(what, line: line) }
}

private func fail(_ what: StaticString, line: UInt = #line) -> Never {
  print("line \(line): \(what)")
  fflush(nil)
  abort()
}

private func json(_ text: [UInt8]) -> JSONValue {
  guard let value = try? JSONValue.parseStrict(text, maxDepth: JSONLimits.strictMaxDepth + 1) else {
    fail("entries are JSON")
  }
  return value
}

// MARK: Texts

/// Whatever comes from the network: read, and judged if it can be.
private func checkText(_ bytes: [UInt8]) {
  let asked: Set<UserID> = [cast.alice, cast.bob]
  if let answer = ResolveAnswer(bytes, asked: asked) {
    demand(answer.unknown.isSubset(of: asked) && answer.more.isSubset(of: asked))
    demand(Set(answer.entries.keys).isSubset(of: asked), "nobody asked for them")
    _ = HistoryJob.contradictions(in: answer.entries)
    for (user, entries) in answer.entries { _ = judge(user, entries, asOf: answer.asOf, known: nil, pin: nil) }
  }
  if let entries = EntryList.read(bytes) {
    if let chain = try? HistoryRules.chain(entries, app: cast.app) {
      demand(chain.entries.count == entries.count && chain.entries.first?.index == 0)
    }
  }
  checkPeer(bytes)
}

private func checkPeer(_ bytes: [UInt8]) {
  guard let offered = PeerHistory(bytes), let judged = try? offered.judge(app: cast.app, under: cast.chain, clock: cast.now)
  else { return }
  demand(judged.subject == offered.user && !judged.isConfirmed)
  let text = PeerHistory.text(of: judged, policies: cast.chain)
  guard let again = PeerHistory(text),
    let second = try? again.judge(app: cast.app, under: cast.chain, clock: cast.now)
  else { fail("what is passed on cannot be read") }
  demand(second.state.json == judged.state.json, "what is passed on is something else")
  demand(
    judged.state.records.allSatisfy { record in
      record.status != "effective" || judged.history.entries.contains { $0.index == record.index && $0.accepted == record.effective }
    }, "a delayed record has taken effect in a peer's history")
}

// MARK: Answers

private func judge(
  _ user: UserID, _ offered: [JSONValue]?, asOf: AsOf, known: KnownHistory?, pin: Pin?
) -> SourceAnswer {
  let job = HistoryJob(
    user: user, app: cast.app, registrar: "r", known: known, pin: pin, offered: offered, asOf: asOf, clock: cast.now)
  let answer = job.run(under: cast.chain)
  switch answer {
  case .unknown: demand(offered == nil && known == nil && pin == nil, "known before, and unknown now")
  case .conflict(let conflict): demand(!conflict.reason.isEmpty)
  case .unavailable: demand(offered != nil)
  case .history(let now): check(now.judged, of: user, known: known, pin: pin)
  }
  return answer
}

/// What must hold for everything that is believed.
private func check(_ judged: JudgedHistory, of user: UserID, known: KnownHistory?, pin: Pin?) {
  let entries = judged.history.entries
  demand(judged.subject == user && judged.isConfirmed && !entries.isEmpty)
  demand(
    zip(entries, entries.dropFirst()).allSatisfy { $0.index < $1.index && $0.accepted <= $1.accepted }, "order")
  demand(entries.allSatisfy { $0.content.subject == user }, "entries of others")
  demand(judged.asOf.time <= cast.now + Limits.clockSkew, "from the future")
  if let known { demand(HistoryRules.extends(entries, known.judged.history.entries), "what was known is missing") }
  if let pin { demand(judged.status(of: pin.head) != nil, "the pinned head is missing") }
  // From the first record on, by its own evidence alone, it comes to the same.
  let alone = HistoryJob(
    user: user, app: cast.app, registrar: "r", known: nil, pin: nil, offered: judged.evidence.map(json),
    asOf: judged.asOf, clock: cast.now)
  guard case .history(let again) = alone.run(under: cast.chain) else { fail("believed in part only") }
  demand(again.judged.state.json == judged.state.json, "believed otherwise")
}

/// An honest history, bent as the input says. Signatures cannot be forged: what is believed is a part of the truth.
private func checkBentAnswer(_ input: [UInt8]) {
  var script = input[...]
  func next() -> Int { Int(script.popFirst() ?? 0) }
  var entries = honest[cast.alice, default: []]
  let setup = next()
  let known = setup & 1 == 0 ? nil : known(upTo: next() % (entries.count + 1))
  let pin = setup & 2 == 0 ? nil : known.map { Pin($0.judged, from: "r", trust: .unverified) }
  var asOf = AsOf(index: 100, time: cast.now)
  if setup & 4 != 0 { entries = Array(entries.dropFirst(known?.judged.history.entries.count ?? 0)) }
  var isBent = setup & 8 != 0
  if isBent { asOf = AsOf(index: Int64(next()), time: Cast.start + Int64(next() << 8 | next()) * Cast.minute) }
  while !script.isEmpty {
    isBent = true
    bend(&entries, next(), next(), next())
  }
  let offered = setup & 16 == 0 ? entries : nil
  let answer = judge(cast.alice, offered, asOf: asOf, known: known, pin: setup & 32 == 0 ? pin : nil)
  if case .history(let believed) = answer {
    let hashes = believed.judged.history.entries.map(\.content.hash)
    demand(hashes.allSatisfy(aliceHashes.contains), "forged")
    // The end, and what nothing builds on, can be left out unnoticed: but every record in effect builds on the one before.
    let state = believed.judged.state
    let line = (0...state.head.sequence).compactMap { state.record(at: $0) }
    demand(line.first?.hash == aliceHashes.first && line.last?.hash == state.head.hash, "the ends")
    demand(zip(line, line.dropFirst()).allSatisfy { $1.previous == $0.hash }, "records are missing in the middle")
  } else if !isBent, offered != nil {
    fail("the truth is not believed")
  }
  checkPeer(
    Array("{\"entries\":[".utf8)
      + Array(entries.map { CanonicalJSON.bytes(of: $0) }.joined(separator: [UInt8(ascii: ",")])) + Array("]}".utf8))
}

private func known(upTo count: Int) -> KnownHistory? {
  var history = KeyHistory(app: cast.app, subject: cast.alice)
  guard let rules = cast.chain.current?.rules else { fail("a policy") }
  let entries = cast.entries[cast.alice, default: []].prefix(count)
  for entry in entries { history.append(entry, under: rules) }
  guard let last = entries.last,
    let judged = JudgedHistory(history, asOf: AsOf(index: last.index, time: last.accepted), isConfirmed: true)
  else { return nil }
  return KnownHistory(judged: judged, checked: last.accepted)
}

private func bend(_ entries: inout [JSONValue], _ deed: Int, _ first: Int, _ second: Int) {
  guard !entries.isEmpty else { return }
  let (one, two) = (first % entries.count, second % entries.count)
  func set(_ name: JSONString, _ value: JSONValue) {
    entries[one] = .object((entries[one].object ?? [:]).setting(name, to: value))
  }
  func number(_ name: JSONString, _ step: Int64) -> JSONValue {
    let old = entries[one].object?[name]?.integer ?? 0
    let (sum, overflow) = old.addingReportingOverflow(step)
    return .integer(overflow || abs(sum) > JSONValue.maxSafeInteger ? old : sum)
  }
  switch deed % 14 {
  case 0: entries.remove(at: one)
  case 1: entries.swapAt(one, two)
  case 2: entries.insert(entries[one], at: two)
  case 3: set("index", .integer(Int64(second)))
  case 4: set("accepted", number("accepted", Int64(second - 128) * 1_000))
  case 5: set("accepted", entries[two].object?["accepted"] ?? .null)
  case 6: set("effective", second % 3 == 0 ? .null : number("effective", Int64(second - 128) * Cast.minute))
  case 7: set("rank", second % 5 == 4 ? .null : .integer(Int64(second % 5)))
  case 8: set("record", entries[two].object?["record"] ?? .null)
  case 9: entries.removeLast(min(entries.count, second % 4))
  case 10: entries += (honest[cast.bob] ?? []).prefix(1)
  case 11: set("effective", entries[one].object?["accepted"] ?? .null)
  case 12: set("accepted", .integer(JSONValue.maxSafeInteger - Int64(second)))
  default:
    let record = entries[one].object?["record"]?.object ?? [:]
    let names = record.members.map(\.0)
    guard !names.isEmpty else { return }
    let name = names[second % names.count]
    let other = entries[two].object?["record"]?.object?[name] ?? .null
    set("record", .object(record.setting(name, to: other)))
  }
}
