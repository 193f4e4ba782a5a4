/// How long things take in delivering. `renewal` and `deadline` together are less than `lease`: a delivery has ended
/// before another instance may begin.
struct WebhookTiming: Sendable {
  /// How long the right to deliver lasts when it is not renewed: what the others wait when an instance dies.
  var lease: Duration = .seconds(30)
  /// The age at which the right is renewed and progress noted, and the pause between two looks at who has the right.
  var renewal: Duration = .seconds(5)
  /// For a receiver to answer, connecting included.
  var deadline: Duration = .seconds(10)
  /// The pause after the first failure of an entry, at most; it doubles with every further one.
  var firstPause: Duration = .seconds(1)
  /// The longest pause. Short, since an owner may have to act while a delay runs.
  var longestPause: Duration = .seconds(60)

  /// The pause after a number of failures in a row, at least one: by chance between a half and the whole of its step, so
  /// that those who failed together do not come back together.
  func pause(after failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
    var step = firstPause
    for _ in 1..<max(failures, 1) where step < longestPause { step *= 2 }
    return min(step, longestPause) * Double.random(in: 0.5...1, using: &generator)
  }

  /// Whether a delivery that begins at this age of the right will have ended before the right has.
  func allowsDelivery(atAge age: Duration) -> Bool { age < lease - deadline }
}
