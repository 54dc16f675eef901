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
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        // What Benchmarks/ runs its servers with, and asks them.
        .library(name: "Catalog", targets: ["Catalog"]),
        .library(name: "Cluster", targets: ["Cluster"]),
        .library(name: "Postgres", targets: ["Postgres"]),
        // For applications: a pool of sessions, and JSON straight from the server.
        .library(name: "MartletClient", targets: ["MartletClient"]),
        // A product because a library that is loaded into another program has to be a file.
        .library(name: "TimeOfDay", type: .dynamic, targets: ["TimeOfDay"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2"),
        // Mapping files and martlet.yaml in YAML, of which JSON is a part.
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        // Subprocess's own dependency, named because a path that is not a literal needs FilePath's initializer.
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "Postgres",
            dependencies: ["CLibPQ"],
            swiftSettings: settings + [.strictMemorySafety()]
        ),
        .target(
            name: "Catalog",
            dependencies: [
                "Postgres",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        // The part of glibc that Swift's module of it leaves out.
        .systemLibrary(name: "CMalloc"),
        .target(
            name: "Engine",
            dependencies: ["CMalloc", "Postgres"],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        // Files that people write, read strictly; the only user of Yams.
        .target(
            name: "Fields",
            dependencies: ["Postgres", .product(name: "Yams", package: "Yams")],
            swiftSettings: settings
        ),
        .target(name: "CChecksum"),
        .target(name: "Sync", dependencies: ["CChecksum", "Engine", "Catalog"], swiftSettings: settings),
        .target(
            name: "Move",
            dependencies: ["Fields", "Sync"],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        .target(
            name: "Cluster",
            dependencies: [
                "Catalog",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            resources: [
                .embedInCode("keeper.sh"), .embedInCode("SQL/shop"), .embedInCode("SQL/generate"),
                .embedInCode("SQL/workload"), .embedInCode("SQL/copies"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Care",
            dependencies: ["Postgres"],
            resources: [.embedInCode("SQL")],
            swiftSettings: settings
        ),
        .target(name: "MartletClient", dependencies: ["Postgres"], swiftSettings: settings),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "Care", "Cluster", "Fields", "MartletClient", "Move",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .target(name: "TimeOfDay", path: "Tests/TimeOfDay", publicHeadersPath: "include"),
        .target(
            name: "TestSupport",
            dependencies: [
                "Catalog", "Cluster", "Postgres",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(
            name: "CatalogTests",
            dependencies: ["Catalog", "Postgres", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Catalog", "Cluster", "Postgres", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EngineTests",
            dependencies: ["Engine", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MartletTests",
            dependencies: [
                "martlet", "Catalog", "Move", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "Scenarios",
            dependencies: ["martlet", "Catalog", "Cluster", "Postgres", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PostgresTests",
            dependencies: ["Cluster", "Postgres", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MoveTests",
            dependencies: ["Cluster", "Move", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SyncTests",
            dependencies: ["CChecksum", "Sync", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "TidyTests", swiftSettings: settings),
    ]
)
