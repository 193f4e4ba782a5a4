import KeyRecords
import RegistryClient
import Synchronization

/// The signers of one command: each is asked for once, and what could not be asked is remembered, for who sees only
/// verdicts.
///
/// What an earlier command was told counts only while the registrar cannot be asked: a command that is run again after
/// a key has changed must know the new one.
final class WatchedSigners: SignerResolving {
  private struct State {
    /// Who was asked for. Forgotten when there are too many: asking again costs little.
    var asked: Set<UserID> = []
    /// Whether the registrar failed: then it is asked as often as the resolver thinks best.
    var isFailing = false
    var unavailable: String?
    var kept = Kept()
  }

  /// Signers who were judged by what was known of them before this command.
  struct Kept {
    var count = 0
    /// When the registrar last confirmed the oldest.
    var oldest = Milliseconds.max
  }

  private static let maxAsked = 200_000

  private let inner: any SignerResolving
  private let opened: Milliseconds
  private let state = Mutex(State())

  /// Signers from a resolver; `opened` is when the command began.
  init(_ inner: any SignerResolving, since opened: Milliseconds) {
    self.inner = inner
    self.opened = opened
  }

  /// Why somebody could not be looked up; nil if everybody could.
  var unavailable: String? { state.withLock { $0.unavailable } }
  /// Who was judged by what was known before.
  var kept: Kept { state.withLock { $0.kept } }

  func resolve(_ users: Set<UserID>, _ lookUp: LookUp) async throws(CancellationError) -> [UserID: Resolution] {
    let new = state.withLock { $0.isFailing ? [] : users.subtracting($0.asked) }
    var answers: [UserID: Resolution] = [:]
    if !new.isEmpty { answers = try await inner.resolve(new, .always) }
    let others = users.subtracting(new)
    if !others.isEmpty {
      answers.merge(try await inner.resolve(others, lookUp)) { first, _ in first }
    }
    note(answers)
    return answers
  }

  func changes() async -> AsyncStream<Set<UserID>> { await inner.changes() }

  private func note(_ answers: [UserID: Resolution]) {
    state.withLock { state in
      if state.asked.count > Self.maxAsked { state.asked = [] }
      for (user, answer) in answers {
        let isNew = state.asked.insert(user).inserted
        if let reason = answer.unavailability {
          state.unavailable = reason
          state.isFailing = true
        } else if let checked = answer.user?.checked, checked < opened {
          state.isFailing = true
          if isNew { state.kept.count += 1 }
          state.kept.oldest = min(state.kept.oldest, checked)
        }
      }
    }
  }
}

extension Resolution {
  /// Why there is no answer; nil if there is one.
  var unavailability: String? {
    switch self {
    case .user, .unknown, .conflict: nil
    case .unavailable(let reason): reason
    case .expired(let checked): RegistrarLink.expired(checked)
    }
  }
}
