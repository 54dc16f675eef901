import ArgumentParser
import Foundation
import Testing

@testable import martlet

/// docs/cli holds the help of every command, so that a change of it is seen in review.
struct HelpTests {
    static let folder = URL(filePath: #filePath).appending(path: "../../../docs/cli").standardized

    @Test func `the help in docs is that of the commands`() throws {
        let pages = Self.pages(of: martlet.Martlet.self, path: ["martlet"])
        if ProcessInfo.processInfo.environment["MARTLET_WRITE_DOCS"] != nil { try Self.write(pages) }
        let recorded = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter {
            $0.hasSuffix(".txt")
        }
        #expect(Set(recorded) == Set(pages.keys), "run \"make docs\"")
        for (file, text) in pages {
            let old = try String(contentsOf: Self.folder.appending(path: file), encoding: .utf8)
            #expect(old == text, "docs/cli/\(file) is stale; run \"make docs\"")
        }
    }

    @Test func `every command explains itself with an example`() {
        for (file, text) in Self.pages(of: martlet.Martlet.self, path: ["martlet"]) where file != "martlet.txt" {
            #expect(text.contains("EXAMPLES"), "\(file)")
        }
    }

    @Test func `every example can be pasted as it stands`() {
        for (file, text) in Self.pages(of: martlet.Martlet.self, path: ["martlet"]) {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            let examples = lines.drop { $0 != "EXAMPLES" }.dropFirst().prefix { !$0.isEmpty }
            // What was wrapped goes on without an indent.
            #expect(examples.allSatisfy { $0.hasPrefix("  ") && $0.count <= 78 }, "\(file)")
            let isContinued = examples.dropLast().map { $0.hasSuffix(" \\") }
            #expect(zip(isContinued, examples.dropFirst()).allSatisfy { $0 == $1.hasPrefix("      ") }, "\(file)")
        }
    }

    static func pages(of command: any ParsableCommand.Type, path: [String]) -> [String: String] {
        let help = martlet.Martlet.helpMessage(for: command, columns: 80)
        var pages = [path.joined(separator: "-") + ".txt": help.hasSuffix("\n") ? help : help + "\n"]
        for child in command.configuration.subcommands {
            let name = child.configuration.commandName ?? "\(child)".lowercased()
            pages.merge(Self.pages(of: child, path: path + [name])) { $1 }
        }
        return pages
    }

    private static func write(_ pages: [String: String]) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) where file.hasSuffix(".txt") {
            try FileManager.default.removeItem(at: folder.appending(path: file))
        }
        for (file, text) in pages {
            try Data(text.utf8).write(to: folder.appending(path: file))
        }
    }
}
