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

func command(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(
    name: name,
    dependencies: dependencies + [.product(name: "ArgumentParser", package: "swift-argument-parser")],
    swiftSettings: settings)
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
    .executableTarget(
      name: "peerkey",
      dependencies: [
        "BatchVerifier", "PeerstackFormat", "Cryptography",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    library("HTTPFormat"),
    library("Postgres", ["CPostgres"]),
    library("PostgresCluster"),
    command("registrar", ["Conformance", "Cryptography", "PeerstackFormat"]),
    library("Keystore", ["Cryptography", "PeerstackFormat"]),
    tests("Cryptography"),
    tests("PeerstackFormat", ["Cryptography"]),
    tests("KeyRecords", ["PeerstackFormat", "Cryptography", "RegistryAPI"]),
    tests("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    tests("RegistryClient", ["RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    .testTarget(
      name: "PeerkeyTests", dependencies: ["peerkey", "PeerstackFormat", "Cryptography"], swiftSettings: settings),
    tests("HTTPFormat"),
    tests("Postgres", ["PostgresCluster"]),
    tests("PostgresCluster", ["Postgres"]),
    tests("Keystore", ["Cryptography", "PeerstackFormat"]),
  ],
  swiftLanguageModes: [.v6]
)
