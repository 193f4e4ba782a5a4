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
  targets: [
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    library("Cryptography", ["CSodium", "CArgon2"]),
    library("PeerstackFormat", ["Cryptography"]),
    library("KeyRecords", ["PeerstackFormat", "Cryptography"]),
    library("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    library("RegistryAPI", ["KeyRecords", "PeerstackFormat"]),
    library("HTTPFormat"),
    library("Postgres", ["CPostgres"]),
    library("PostgresCluster"),
    tests("Cryptography"),
    tests("PeerstackFormat", ["Cryptography"]),
    tests("KeyRecords", ["PeerstackFormat", "Cryptography", "RegistryAPI"]),
    .testTarget(
      name: "RuleExplorerTests", dependencies: ["KeyRecords", "PeerstackFormat", "Cryptography"],
      swiftSettings: settings),
    tests("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    tests("HTTPFormat"),
    tests("Postgres", ["PostgresCluster"]),
    tests("PostgresCluster", ["Postgres"]),
  ],
  swiftLanguageModes: [.v6]
)
