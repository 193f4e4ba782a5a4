// swift-tools-version: 6.1
import PackageDescription

// The peer of one row, a package of its own: neither the product nor `measure` resolves Hummingbird. Its folder is not
// called Hummingbird, which SwiftPM would take for the package of that name.
let package = Package(
  name: "hummingbird-peer",
  platforms: [.macOS("15.0")],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.0.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
  ],
  targets: [
    .executableTarget(
      name: "hummingbird-peer",
      dependencies: [
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
