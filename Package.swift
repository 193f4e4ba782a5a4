// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let database: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")

/// A C library of Debian's, without any code of ours but a header.
func system(_ name: String, _ pkgConfig: String, _ package: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

/// A target under Sources/ whose imports are exactly `dependencies` (docs/architecture.md).
func library(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func command(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies + [arguments], swiftSettings: settings)
}

/// The tests of a target, with what they import beside it.
func tests(_ name: String, of target: String? = nil, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: target ?? name)] + dependencies, swiftSettings: settings)
}

let wrappers: [Target] = [
  system("CSodium", "libsodium", "libsodium-dev"),
  system("CArgon2", "libargon2", "libargon2-dev"),
  system("CPostgres", "libpq", "libpq-dev"),
  system("CWebSockets", "libwebsockets", "libwebsockets-dev"),
  system("CUV", "libuv", "libuv1-dev"),
  system("COpenSSL", "openssl", "libssl-dev"),
  system("CQRCode", "libqrencode", "libqrencode-dev"),
  .systemLibrary(name: "CPrefetch"),
]

let libraries: [Target] = [
  library("Cryptography", ["CSodium", "CArgon2", "COpenSSL"]),
  library("PeerstackFormat", ["Cryptography"]),
  library("KeyRecords", ["PeerstackFormat", "Cryptography"]),
  library("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
  library("RegistryAPI", ["KeyRecords", "PeerstackFormat"]),
  library("HTTPFormat"),
  library("Postgres", ["CPostgres"]),
  library("PostgresCluster"),
  library("WebTransport", ["HTTPFormat", "CWebSockets", "CUV", "COpenSSL"]),
  .target(
    name: "Migrations", path: "Migrations", exclude: ["README.md"], resources: [.embedInCode("sql")],
    swiftSettings: settings),
  library(
    "Registry",
    [
      "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "Postgres", "Migrations", "CPrefetch", logging,
    ]),
  library(
    "RegistryServer",
    [
      "Registry", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "HTTPFormat", "WebTransport",
      "Postgres", logging, metrics,
    ], resources: [.embedInCode("openapi.json")]),
  library("Keystore", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
  library("BatchVerifier", ["PeerstackFormat", "Cryptography"]),
  library("RegistryClient", ["RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
  library("Contacts", ["RegistryClient", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
  library("QRCode", ["CQRCode"]),
  library("CommandArguments", ["RegistryAPI", "KeyRecords", "Cryptography", arguments]),
  library("RegistryCache", ["Contacts", "RegistryClient", "KeyRecords", "Cryptography", database]),
  library("RegistryConnection", ["RegistryClient", "WebTransport", "HTTPFormat"]),
  library("RegistryTestKit", ["RegistryClient", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
]

let commands: [Target] = [
  command(
    "registrar",
    [
      "CommandArguments", "Conformance", "Cryptography", "PeerstackFormat", "KeyRecords", "RegistryAPI", "Registry",
      "RegistryServer", "HTTPFormat", "WebTransport", "Postgres", "PostgresCluster", logging,
    ]),
  command(
    "peerkey",
    [
      "CommandArguments", "BatchVerifier", "Contacts", "QRCode", "RegistryClient", "RegistryCache",
      "RegistryConnection", "RegistryAPI", "Keystore", "KeyRecords", "PeerstackFormat", "Cryptography",
    ]),
]

/// What the tutorial of `RegistryClient` builds.
let examples: [Target] = [
  .executableTarget(
    name: "sync-example",
    dependencies: ["RegistryClient", "RegistryCache", "RegistryConnection", "KeyRecords"], path: "Examples/Sync",
    swiftSettings: settings)
]

let testTargets: [Target] = [
  tests("Cryptography"),
  tests("PeerstackFormat", ["Cryptography"]),
  tests("KeyRecords", ["PeerstackFormat", "Cryptography", "RegistryAPI"]),
  tests("RuleExplorer", of: "KeyRecords", ["PeerstackFormat", "Cryptography"]),
  tests("Conformance", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
  tests("HTTPFormat"),
  .target(
    name: "PostgresTestSupport", dependencies: ["Postgres", "PostgresCluster"], path: "Tests/PostgresTestSupport",
    swiftSettings: settings),
  tests("Postgres", ["PostgresCluster", "PostgresTestSupport"]),
  tests("PostgresCluster", ["Postgres"]),
  tests("WebTransport", ["HTTPFormat", "COpenSSL"]),
  tests(
    "Registry",
    [
      "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "Postgres", "PostgresCluster",
      "PostgresTestSupport", "Migrations", logging,
    ]),
  tests(
    "RegistryServer",
    [
      "Registry", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography", "HTTPFormat", "WebTransport",
      "Postgres", "PostgresCluster", "PostgresTestSupport", logging, metrics,
    ]),
  tests(
    "Registrar", of: "registrar",
    ["RegistryTestKit", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
  tests("Keystore", ["KeyRecords", "PeerstackFormat", "Cryptography"]),
  tests("RegistryClient", ["RegistryTestKit", "RegistryAPI", "KeyRecords", "PeerstackFormat", "Cryptography"]),
  tests("Contacts", ["RegistryTestKit", "RegistryClient", "KeyRecords", "PeerstackFormat", "Cryptography"]),
  tests("QRCode"),
  tests(
    "RegistryCache",
    ["Contacts", "RegistryTestKit", "RegistryClient", "KeyRecords", "PeerstackFormat", "Cryptography", database]),
  tests(
    "RegistryConnection",
    [
      "RegistryTestKit", "RegistryClient", "RegistryAPI", "WebTransport", "HTTPFormat", "KeyRecords", "PeerstackFormat",
      "Cryptography",
    ]),
  tests("Example", of: "sync-example", ["RegistryTestKit", "RegistryClient", "RegistryAPI", "KeyRecords"]),
  tests(
    "Peerkey", of: "peerkey",
    [
      "CommandArguments", "BatchVerifier", "Keystore", "RegistryTestKit", "RegistryClient", "RegistryCache",
      "KeyRecords",
      "PeerstackFormat", "Cryptography",
    ]),
]

/// A module that an app takes on its own; what its interface names comes with it.
func product(_ name: String) -> Product {
  .library(name: name, targets: [name, "KeyRecords", "PeerstackFormat", "Cryptography"])
}

/// What apps embed; then what `Benchmarks/`, a package of its own, measures, and the C libraries it measures against.
let products: [Product] = [
  product("RegistryClient"),
  product("RegistryCache"),
  product("RegistryConnection"),
  product("Keystore"),
  product("Contacts"),
  product("BatchVerifier"),
  .library(
    name: "Measured",
    targets: [
      "BatchVerifier", "Keystore", "RegistryClient", "RegistryTestKit", "KeyRecords", "PeerstackFormat", "Cryptography",
    ]),
  .library(name: "CSodium", targets: ["CSodium"]),
  .library(name: "CArgon2", targets: ["CArgon2"]),
  .library(name: "CPostgres", targets: ["CPostgres"]),
]

let package = Package(
  name: "peerstack-registrar",
  platforms: [.macOS("26.0")],
  products: products,
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: wrappers + libraries + commands + examples + testTargets,
  swiftLanguageModes: [.v6]
)
