// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "martlet",
    products: [],
    dependencies: [],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "Postgres",
            dependencies: ["CLibPQ"],
            swiftSettings: settings + [.strictMemorySafety()]
        ),
        .target(
            name: "Catalog",
            dependencies: ["Postgres"],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        .target(
            name: "Engine",
            dependencies: ["Postgres"],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        .target(name: "Sync", dependencies: ["Engine", "Catalog"], swiftSettings: settings),
        .target(
            name: "Move",
            dependencies: ["Sync", "Catalog", "Engine"],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        .testTarget(name: "MoveTests", dependencies: ["Move", "Engine", "Postgres"], swiftSettings: settings),
    ]
)
