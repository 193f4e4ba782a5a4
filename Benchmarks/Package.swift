// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nothing the product is built of knows of it.

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

// The name holds whatever the folder of a clone is called.
let registrar = "peerstack-registrar"

let package = Package(
  name: "registrar-benchmarks",
  platforms: [.macOS("26.0")],
  dependencies: [.package(name: registrar, path: "..")],
  targets: [
    .executableTarget(
      name: "measure",
      dependencies: ["Measured", "CSodium", "CArgon2", "CPostgres"].map { .product(name: $0, package: registrar) },
      swiftSettings: settings)
  ],
  swiftLanguageModes: [.v6]
)
