// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// A target under Sources/ whose imports are exactly `dependencies` (docs/architecture.md).
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: settings)
}

let package = Package(
  name: "peerstack-registrar",
  platforms: [.macOS("26.0")],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    library("Cryptography", ["CSodium", "CArgon2"]),
    library("PeerstackFormat", ["Cryptography"]),
    library("KeyRecords", ["PeerstackFormat", "Cryptography"]),
    library("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    library("RegistryAPI", ["KeyRecords", "PeerstackFormat"]),
    library("BatchVerifier", ["PeerstackFormat", "Cryptography"]),
    library("RegistryClient", ["RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    library("RegistryTestKit", ["RegistryClient", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    .executableTarget(
      name: "peerkey",
      dependencies: [
        "BatchVerifier", "RegistryClient", "KeyRecords", "PeerstackFormat", "Cryptography",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    library("HTTPFormat"),
    library("Postgres", ["CPostgres"]),
    library("PostgresCluster"),
    tests("Cryptography"),
    tests("PeerstackFormat", ["Cryptography"]),
    tests("KeyRecords", ["PeerstackFormat", "Cryptography"]),
    tests("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    tests("RegistryClient", ["RegistryTestKit", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    .testTarget(
      name: "PeerkeyTests",
      dependencies: [
        "peerkey", "BatchVerifier", "RegistryTestKit", "RegistryClient", "KeyRecords", "PeerstackFormat",
        "Cryptography",
      ], swiftSettings: settings),
    tests("HTTPFormat"),
    tests("Postgres", ["PostgresCluster"]),
    tests("PostgresCluster", ["Postgres"]),
  ],
  swiftLanguageModes: [.v6]
)
