import Foundation
import TestSupport
import Testing

/// Pages of the guide that show a session at the terminal are run as they stand.
///
/// A block that begins with `file NAME` is written to that file; in a block of `console` lines that begin with `$ ` are run, and
/// what they print, stdout and stderr together, must be what follows; … stands for anything on its line.
struct TranscriptTests {
    @Test(.timeLimit(.minutes(5)), arguments: ["everyday.md"])
    func `what the guide shows is what happens`(page: String) async throws {
        let file = URL(filePath: #filePath).appending(path: "../../../../docs/guide/\(page)").standardized
        let blocks = Self.blocks(in: try String(contentsOf: file, encoding: .utf8))
        #expect(blocks.contains { $0.kind == "console" })
        try await withTestShell { shell in
            for block in blocks { try await run(block, shell) }
        }
    }

    private func run(_ block: Block, _ shell: TestShell) async throws {
        if block.kind.hasPrefix("file ") {
            try shell.write(block.lines.joined(separator: "\n") + "\n", to: String(block.kind.dropFirst(5)))
        }
        guard block.kind == "console" else { return }
        for step in Self.steps(in: block.lines) {
            let printed = try await shell.run(step.command)
            let expected = step.output.map { line in
                line.split(separator: "…", omittingEmptySubsequences: false)
                    .map { NSRegularExpression.escapedPattern(for: String($0)) }.joined(separator: ".*")
            }
            let pattern = try Regex("^" + expected.joined(separator: "\n") + "$")
            #expect(printed.wholeMatch(of: pattern) != nil, "$ \(step.command)\n\(printed)")
        }
    }

    private struct Block {
        let kind: String
        var lines: [String] = []
    }

    private static func blocks(in text: String) -> [Block] {
        var (blocks, isOpen): ([Block], Bool) = ([], false)
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("```") {
                if !isOpen { blocks.append(Block(kind: String(line.dropFirst(3)))) }
                isOpen.toggle()
            } else if isOpen {
                blocks[blocks.count - 1].lines.append(line)
            }
        }
        return blocks
    }

    private static func steps(in lines: [String]) -> [(command: String, output: [String])] {
        var steps: [(command: String, output: [String])] = []
        for line in lines {
            if line.hasPrefix("$ ") {
                steps.append((String(line.dropFirst(2)), []))
            } else if !steps.isEmpty {
                steps[steps.count - 1].output.append(line)
            }
        }
        return steps
    }
}
