public import Cryptography

/// Finds parameters that cost a wanted time on this machine.
public enum Argon2idCalibration {
  /// Memory of the first measurement, in KiB: 64 MiB, enough to leave the caches.
  static let probeMemoryKiB: UInt32 = 65_536
  /// Corrections after the first estimate.
  static let maxCorrections = 3

  /// Parameters that take about `time` with at most `memoryKiB` of memory. Memory is worth more than passes, so there
  /// are only more passes once all the memory is used; with too little time, memory shrinks down to `bounds`.
  ///
  /// Runs a few hashes that together take about four times `time`.
  public static func parameters(
    time: Duration, memoryKiB: UInt32 = Argon2idParameters.standard.memoryKiB,
    lanes: UInt32 = Argon2idParameters.standard.lanes, bounds: Argon2idBounds = .standard
  ) throws(KeystoreError) -> Argon2idParameters {
    try parameters(time: time, memoryKiB: memoryKiB, lanes: lanes, bounds: bounds, measuredBy: measure)
  }

  /// The same with another way to measure.
  static func parameters(
    time: Duration, memoryKiB: UInt32, lanes: UInt32, bounds: Argon2idBounds,
    measuredBy measure: (Argon2idParameters) throws(KeystoreError) -> Duration
  ) throws(KeystoreError) -> Argon2idParameters {
    let lanes = min(max(lanes, 1), Argon2id.maximumLanes)
    let least = max(bounds.minimumMemoryKiB, Argon2id.minimumMemoryKiBPerLane * lanes)
    let most = max(least, min(memoryKiB, bounds.maximumMemoryKiB, Argon2id.maximumMemoryKiB))
    let probe = Argon2idParameters(memoryKiB: min(most, max(least, probeMemoryKiB)), passes: 1, lanes: lanes)
    let wanted = max(nanoseconds(time), 1)
    var work = estimate(probe, took: try measure(probe), wanted: wanted)
    var found = fit(work: work, least: least, most: most, lanes: lanes, bounds: bounds)
    for _ in 0..<maxCorrections {
      work = estimate(found, took: try measure(found), wanted: wanted)
      let better = fit(work: work, least: least, most: most, lanes: lanes, bounds: bounds)
      if better == found { break }
      found = better
    }
    return found
  }

  /// The work in KiB that takes `wanted` nanoseconds, if time grows with work.
  private static func estimate(_ parameters: Argon2idParameters, took: Duration, wanted: Double) -> Double {
    Double(parameters.workKiB) * wanted / max(nanoseconds(took), 1)
  }

  private static func fit(
    work: Double, least: UInt32, most: UInt32, lanes: UInt32, bounds: Argon2idBounds
  ) -> Argon2idParameters {
    let work = min(work, Double(bounds.maximumWorkKiB))
    let passes = min(max(work / Double(most), 1), Double(Argon2id.maximumPasses))
    let memory = min(max(work, Double(least)), Double(most))
    // Whole MiB look better; what is below stays as it is.
    let kiB = UInt32(memory)
    let rounded = kiB >= least + 1024 ? kiB & ~1023 : kiB
    return Argon2idParameters(memoryKiB: rounded, passes: UInt32(passes), lanes: lanes)
  }

  private static func nanoseconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) * 1e9 + Double(attoseconds) / 1e9
  }

  private static func measure(_ parameters: Argon2idParameters) throws(KeystoreError) -> Duration {
    let hash = PasswordHash(drawingSaltFor: parameters)
    let clock = ContinuousClock()
    let start = clock.now
    _ = try hash.key(for: .random(count: 16))
    return start.duration(to: clock.now)
  }
}
