// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the parser can be built and fuzzed without the C libraries of the registrar.
// Sources/HTTPFormat is a link to the module itself.

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "http-fuzz",
  platforms: [.macOS("26.0")],
  targets: [
    .target(name: "HTTPFormat", swiftSettings: settings),
    .executableTarget(name: "http-parse", dependencies: ["HTTPFormat"], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
