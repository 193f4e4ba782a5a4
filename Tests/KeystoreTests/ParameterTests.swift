import Cryptography
import KeyRecords
import Glibc
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct ParameterTests {
  @Test func passwordHashTexts() throws {
    let hash = PasswordHash(drawingSaltFor: .standard)
    #expect(hash.text.hasPrefix("$argon2id$v=19$m=262144,t=3,p=4$") && !hash.text.contains("=" + "="))
    #expect(hash.salt.count == 16 && hash.text.utf8.count == 54)
    #expect(try PasswordHash(parsing: hash.text) == hash)
    // The salt of RFC 9106's test vector, 16 bytes of 0x02.
    let read = try PasswordHash(parsing: "$argon2id$v=19$m=32,t=3,p=4$AgICAgICAgICAgICAgICAg")
    #expect(read.parameters == Argon2idParameters(memoryKiB: 32, passes: 3, lanes: 4))
    #expect(read.salt == [UInt8](repeating: 2, count: 16))
  }

  @Test(arguments: [
    "", "$", "argon2id", "$argon2id$v=19$", "$argon2id$v=19$m=8,t=1,p=1", "$argon2id$v=19$m=8,t=1,p=1$",
    "$argon2id$v=19$m=8,t=1,p=1$AgICAgICAgICAgICAgICAg$", "$argon2id$v=19$m=8,t=1,p=1$AgICAgICAgICAgICAgICAg==",
    "$argon2id$v=19$m=8,t=1,p=1$AgICAgICAgICAgICAgICAh", "$argon2id$v=19$m=8,t=1,p=1$AgICAgI",
    "$argon2id$v=19$m=08,t=1,p=1$AgICAgICAgICAgICAgICAg", "$argon2id$v=19$m=+8,t=1,p=1$AgICAgICAgICAgICAgICAg",
    "$argon2id$v=19$m=-8,t=1,p=1$AgICAgICAgICAgICAgICAg", "$argon2id$v=19$m= 8,t=1,p=1$AgICAgICAgICAgICAgICAg",
    "$argon2id$v=19$m=4294967296,t=1,p=1$AgICAgICAgICAgICAgICAg",
    "$argon2id$v=19$m=99999999999999999999999,t=1,p=1$AgICAgICAgICAgICAgICAg",
    "$argon2id$v=19$t=1,m=8,p=1$AgICAgICAgICAgICAgICAg", "$argon2id$v=19$m=8,t=1$AgICAgICAgICAgICAgICAg",
    "$argon2id$v=19$m=8,t=1,p=1,x=1$AgICAgICAgICAgICAgICAg", "$argon2id$v=19$m=,t=1,p=1$AgICAgICAgICAgICAgICAg",
    "$argon2id$v=19$m=\u{661},t=1,p=1$AgICAgICAgICAgICAgICAg", "$argon2id$v=19$m=8,t=1,p=1$AgICAgICAgIC.gICAgICAg",
  ])
  func malformedTexts(text: String) {
    let error = #expect(throws: PasswordHash.Fault.self) { try PasswordHash(parsing: text) }
    #expect(error == (text == "$" ? .unsupported : .malformed))
    #expect(throws: PasswordHash.Fault.self) { try PasswordHash(parsing: text + String(repeating: "A", count: 500)) }
  }

  /// Refused while the file is read: no memory was taken, and no password was needed.
  @Test(arguments: [
    "m=4294967295,t=1,p=1", "m=2097153,t=1,p=1", "m=2097152,t=9,p=4", "m=262144,t=65,p=4", "m=262144,t=0,p=4",
    "m=262144,t=3,p=0", "m=262144,t=3,p=17", "m=0,t=1,p=1", "m=15,t=1,p=2", "m=4294967295,t=4294967295,p=4294967295",
  ])
  func absurd(numbers: String) throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    let bytes = try forged(try folder.read()) { object in
      try object.changingSlot {
        $0.setting("hash", to: .text("$argon2id$v=19$\(numbers)$AgICAgICAgICAgICAgICAg"))
      }
    }
    let error = #expect(throws: KeystoreError.self) { try SealedKeystore(parsing: bytes, bounds: Cheap.bounds) }
    guard case .parametersOutOfRange = error else { throw error ?? .damaged }
  }

  @Test func boundsOfNewSlots() throws {
    let folder = try TestFolder()
    let weak = Argon2idParameters(memoryKiB: 16_383, passes: 3, lanes: 4)
    let file = folder.file(bounds: .standard)
    #expect(throws: KeystoreError.parametersTooWeak(weak)) {
      try file.create(
        id: alice, key: .generate(), at: now, slots: [NewSlot(name: "p", credential: password, parameters: weak)])
    }
    let absurd = Argon2idParameters(memoryKiB: 2_097_152, passes: 64, lanes: 4)
    #expect(throws: KeystoreError.parametersOutOfRange(absurd)) {
      try file.create(
        id: alice, key: .generate(), at: now, slots: [NewSlot(name: "p", credential: password, parameters: absurd)])
    }
    #expect(throws: Never.self) { try Argon2idBounds.standard.check(.standard) }
    #expect(NewSlot(name: "p", credential: password).parameters == .standard)
  }

  @Test(
    arguments: [
      // from memory, passes; to memory, passes (nil: strong enough for 256 KiB, 3 passes)
      (256, 3, nil, nil), (128, 3, 256, 3), (256, 2, 256, 3), (8, 64, 256, 3), (128, 12, nil, nil), (128, 11, 256, 3),
      (512, 1, nil, nil), (300, 1, 300, 3), (256, 64, nil, nil), (2_097_152, 1, nil, nil),
    ] as [(UInt32, UInt32, UInt32?, UInt32?)])
  func strengthening(memory: UInt32, passes: UInt32, newMemory: UInt32?, newPasses: UInt32?) {
    let target = Argon2idParameters(memoryKiB: 256, passes: 3, lanes: 4)
    let result = Argon2idParameters(memoryKiB: memory, passes: passes, lanes: 1).strengthened(to: target)
    #expect(result?.memoryKiB == newMemory && result?.passes == newPasses)
    #expect(result?.lanes == newMemory.map { _ in 4 })
    #expect(result?.strengthened(to: target) == nil)
  }

  @Test func weakSlotsAreMadeAnew() throws {
    let folder = try TestFolder()
    let target = Argon2idParameters(memoryKiB: 64, passes: 2, lanes: 2)
    let code = RecoveryCode.generate()
    var session: KeystoreSession? = try folder.file().makeActive(slots: [slot(), slot(.recoveryCode(code), "paper")])
    let held = try folder.read()
    // While somebody else holds the lock, it opens as it is.
    let opened = try folder.file().unlock(with: password, strengtheningTo: target)
    #expect(opened.slots.map(\.parameters) == [Cheap.parameters, Cheap.parameters])
    #expect(try folder.read() == held)
    let keys = try #require(session?.keystore.keys)
    session = nil
    let stronger = try folder.file().unlock(with: password, strengtheningTo: target)
    #expect(stronger.slots.map(\.parameters) == [target, Cheap.parameters] && stronger.keys == keys)
    let after = try folder.read()
    #expect(try folder.file().unlock(with: password, strengtheningTo: target).slots == stronger.slots)
    #expect(try folder.read() == after)
    let recovered = try folder.file().openSession(with: .recoveryCode(code), strengtheningTo: target)
    #expect(recovered.keystore.slots.map(\.parameters) == [target, target])
  }

  @Test(arguments: [
    // nanoseconds per KiB and pass, wanted milliseconds, then what must come out: memory in MiB, passes
    (600.0, 500, 256, 3), (600.0, 100, 162, 1), (600.0, 1, 16, 1), (60.0, 500, 256, 31), (1.0, 60_000, 256, 64),
  ])
  func calibration(nanoseconds: Double, milliseconds: Int, memoryMiB: UInt32, passes: UInt32) throws {
    var measured = 0
    let found = try Argon2idCalibration.parameters(
      time: .milliseconds(milliseconds), memoryKiB: 262_144, lanes: 4, bounds: .standard
    ) { parameters in
      measured += 1
      return .nanoseconds(Int64(Double(parameters.workKiB) * nanoseconds))
    }
    #expect(found == Argon2idParameters(memoryKiB: memoryMiB * 1024, passes: passes, lanes: 4))
    #expect(measured <= 4)
  }

  /// With real hashes: whatever the machine does, the result can be used.
  @Test func realCalibration() throws {
    let found = try Argon2idCalibration.parameters(
      time: .milliseconds(1), memoryKiB: 1_024, lanes: 1, bounds: Cheap.bounds)
    #expect(throws: Never.self) { try Cheap.bounds.check(found) }
    #expect(found.memoryKiB <= 1_024 && found.lanes == 1)
    let clumsy = try Argon2idCalibration.parameters(time: .zero, memoryKiB: 0, lanes: 0, bounds: Cheap.bounds)
    #expect(clumsy == Argon2idParameters(memoryKiB: 8, passes: 1, lanes: 1))
  }
}
