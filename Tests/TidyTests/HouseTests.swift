import Foundation
import Testing

/// Checks how the house is built: which target may use which, where libpq is called, how long a function is.
struct HouseTests {
    /// What each target may import of ours; anything below on the path may be used too, and no arrow runs upwards.
    static let arrows: [String: Set<String>] = [
        "Postgres": ["CLibPQ"],
        "Catalog": ["Postgres"],
        "Engine": ["Postgres"],
        "Fields": ["Postgres"],
        "Sync": ["CChecksum", "Engine", "Catalog"],
        "Move": ["Fields", "Sync"],
        "Change": ["Sync"],
        "Care": ["Change"],
        "Cluster": ["Catalog"],
        "Convert": ["Catalog", "Cluster"],
        "Cloud": ["Catalog"],
        "Dashboard": ["Engine", "Catalog"],
        "MartletClient": ["Postgres"],
        "martlet": [
            "Dashboard", "Move", "Change", "Care", "Convert", "Cloud", "Cluster", "Fields", "MartletClient",
        ],
    ]

    /// Those that are not in Swift, and use nothing of ours.
    static let inC: Set<String> = ["CLibPQ", "CChecksum"]

    /// All that a target may use: its arrows, and theirs.
    static func reachable(from target: String) -> Set<String> {
        let direct = arrows[target] ?? []
        return direct.reduce(into: direct) { all, next in all.formUnion(reachable(from: next)) }
    }

    @Test func `no import runs upwards`() throws {
        let ours = Set(Self.arrows.keys).union(Self.inC)
        for source in try Source.all(under: "Sources", extension: "swift") {
            let target = source.target
            #expect(Self.arrows[target] != nil || Self.inC.contains(target), "target \"\(target)\" has no arrows here")
            for (number, line) in source.imports where ours.contains(line.module) {
                let allowed = Self.reachable(from: target).contains(line.module)
                #expect(allowed, "\(source.name):\(number): \(target) may not use \(line.module)")
            }
        }
    }

    @Test func `libpq is imported privately, and by Postgres alone`() throws {
        for source in try Source.all(under: "Sources", extension: "swift") {
            for (number, line) in source.imports where line.module == "CLibPQ" {
                let isFine = source.target == "Postgres" && line.text == "private import CLibPQ"
                #expect(isFine, "\(source.name):\(number): \(line.text)")
            }
        }
    }

    @Test(arguments: ["Sources", "Tests"])
    func `no function is longer than 60 lines`(folder: String) throws {
        for source in try Source.all(under: folder, extension: "swift") {
            for function in source.functions where function.length > 60 {
                Issue.record("\(source.name):\(function.line): \(function.length) lines")
            }
        }
    }

    @Test func `every SQL file begins with what it answers`() throws {
        for source in try Source.all(under: "Sources", extension: "sql") {
            #expect(source.lines.first?.hasPrefix("-- ") == true, "\(source.name)")
            // A database in LATIN1 takes no statement with a character that it does not know, be it in a comment.
            guard source.target != "Cluster" else { continue }
            #expect(source.lines.allSatisfy { $0.utf8.allSatisfy { $0 < 128 } }, "\(source.name)")
        }
    }

    @Test func `tests wait for conditions and do not sleep`() throws {
        let sleep = /\b(Task\.sleep|usleep|Thread\.sleep|sleep\(\d)/
        // A task that only waits to be cancelled does not slow a test down.
        let endless = "Task.sleep(for: .seconds(600))"
        for source in try Source.all(under: "Tests", extension: "swift") {
            guard !source.name.hasSuffix("TestSupport/Eventually.swift"), source.target != "TidyTests" else { continue }
            for (index, line) in source.lines.enumerated() where line.contains(sleep) && !line.contains(endless) {
                Issue.record("\(source.name):\(index + 1): use eventually(_:within:_:)")
            }
        }
    }
}
