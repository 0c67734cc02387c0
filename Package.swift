// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "sevdbg",
    products: [.executable(name: "sevdbg", targets: ["sevdbg"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        .target(name: "CKVM", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(
            name: "CBPF", exclude: ["programs"],
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .plugin(name: "BPFPrograms", capability: .buildTool()),
        .systemLibrary(name: "CNcurses"),
        .systemLibrary(name: "CZydis"),
        .target(
            name: "VCPUControl",
            dependencies: [
                "CBPF", "CKVM", "CZydis", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict, plugins: ["BPFPrograms"]),
        .target(name: "DebugUI", dependencies: ["VCPUControl", "CNcurses"], swiftSettings: strict),
        .executableTarget(
            name: "sevdbg",
            dependencies: [
                "VCPUControl", "DebugUI",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"), "TOMLKit",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "Benchmark", dependencies: ["VCPUControl"], path: "Tests/Benchmark",
            exclude: ["kvm.c", "observe.c", "terminal.c", "unicorn.c"], swiftSettings: strict),
        .target(
            name: "CNativeOracle", path: "Tests/CNativeOracle",
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(
            name: "CPseudoTerminal", path: "Tests/CPseudoTerminal",
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .testTarget(
            name: "VCPUControlTests",
            dependencies: [
                "VCPUControl", "CBPF", "CKVM", "CNativeOracle", "CZydis",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["KVM/Doctor/Hosts"], swiftSettings: strict),
        .testTarget(
            name: "DebugUITests", dependencies: ["DebugUI", "VCPUControl"],
            exclude: ["Screens"], swiftSettings: strict),
        .testTarget(
            name: "SevdbgTests",
            dependencies: ["sevdbg", "DebugUI", "VCPUControl", "CPseudoTerminal"],
            exclude: ["Screens"], swiftSettings: strict),
    ]
)
