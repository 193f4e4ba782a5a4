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
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(
      name: "CWebSockets", pkgConfig: "libwebsockets", providers: [.apt(["libwebsockets-dev"])]),
    .systemLibrary(name: "CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    library("Cryptography", ["CSodium", "CArgon2"]),
    library("PeerstackFormat", ["Cryptography"]),
    library("KeyRecords", ["PeerstackFormat", "Cryptography"]),
    library("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    library("RegistryAPI", ["KeyRecords", "PeerstackFormat"]),
    library("BatchVerifier", ["PeerstackFormat", "Cryptography"]),
    library("RegistryClient", ["RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    command(
      "peerkey",
      [
        "BatchVerifier", "RegistryClient", "RegistryAPI", "Keystore", "KeyRecords", "PeerstackFormat", "Cryptography",
        "RegistryConnection",
      ]),
    library("RegistryTestKit", ["RegistryClient", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    library("HTTPFormat"),
    library("Postgres", ["CPostgres"]),
    library("PostgresCluster"),
    library("Keystore", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    command(
      "registrar",
      [
        "Conformance", "Cryptography", "PeerstackFormat", "KeyRecords", "RegistryAPI", "Registry", "RegistryServer",
        "WebTransport", "Postgres", "PostgresCluster", .product(name: "Logging", package: "swift-log"),
      ]),
    library("WebTransport", ["HTTPFormat", "CWebSockets", "CUV", "COpenSSL"]),
    library("RegistryConnection", ["RegistryClient", "WebTransport", "HTTPFormat"]),
    .target(
      name: "Migrations", path: "Migrations", exclude: ["README.md"], resources: [.embedInCode("sql")],
      swiftSettings: settings),
    library(
      "Registry",
      [
        "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "Postgres", "Migrations",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "RegistryServer",
      dependencies: [
        "Registry", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "HTTPFormat", "WebTransport",
        "Postgres", .product(name: "Logging", package: "swift-log"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
      ], resources: [.embedInCode("openapi.json")], swiftSettings: settings),
    .testTarget(
      name: "RegistrarTests",
      dependencies: ["registrar", "RegistryTestKit", "RegistryAPI", "KeyRecords", "PeerstackFormat"],
      swiftSettings: settings),
    tests("Cryptography"),
    tests("PeerstackFormat", ["Cryptography"]),
    tests("KeyRecords", ["PeerstackFormat", "Cryptography", "RegistryAPI"]),
    tests("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    tests("RegistryClient", ["RegistryTestKit", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
    .testTarget(
      name: "PeerkeyTests",
      dependencies: [
        "peerkey", "BatchVerifier", "Keystore", "RegistryTestKit", "RegistryClient", "KeyRecords", "PeerstackFormat", "Cryptography",
      ], swiftSettings: settings),
    tests("HTTPFormat"),
    .target(
      name: "PostgresTestSupport", dependencies: ["Postgres", "PostgresCluster"], path: "Tests/PostgresTestSupport",
      swiftSettings: settings),
    tests("Postgres", ["PostgresCluster", "PostgresTestSupport"]),
    tests("PostgresCluster", ["Postgres"]),
    tests("Keystore", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
    tests("WebTransport", ["HTTPFormat", "COpenSSL"]),
    tests("RegistryConnection", ["RegistryClient", "WebTransport", "HTTPFormat"]),
    tests(
      "Registry",
      [
        "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "Postgres", "PostgresTestSupport", "Migrations",
        .product(name: "Logging", package: "swift-log"),
      ]),
    tests(
      "RegistryServer",
      [
        "Registry", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "HTTPFormat", "WebTransport",
        "Postgres", "PostgresCluster", "PostgresTestSupport", .product(name: "Logging", package: "swift-log"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
