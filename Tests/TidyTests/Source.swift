import Foundation

/// One file of the repository, as lines.
struct Source {
    let name: String
    let lines: [Substring]

    /// The target: the folder below `Sources` or `Tests`.
    var target: String {
        name.split(separator: "/").dropFirst().first.map(String.init) ?? ""
    }

    /// Every file of a kind below a folder of the repository.
    static func all(under folder: String, extension kind: String) throws -> [Source] {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path(percentEncoded: false)
        let start = root + "/" + folder
        let names = FileManager.default.enumerator(atPath: start)?.compactMap { $0 as? String } ?? []
        return try names.filter { $0.hasSuffix("." + kind) }.sorted().map { name in
            let text = try String(contentsOfFile: start + "/" + name, encoding: .utf8)
            return Source(
                name: folder + "/" + name,
                lines: text.split(separator: "\n", omittingEmptySubsequences: false)
            )
        }
    }

    /// The imports, with their line numbers.
    var imports: [(number: Int, line: (module: String, text: String))] {
        lines.enumerated().compactMap { index, line in
            guard let match = line.wholeMatch(of: /(?:@\w+ )*(?:\w+ )?import (?:\w+ )?(\w+)(?:\.\w+)?\s*/) else {
                return nil
            }
            return (index + 1, (String(match.1), String(line)))
        }
    }

    /// The functions and initializers, roughly: from a line with `func` or `init(` to the line with the same
    /// indentation that begins with a closing brace.
    var functions: [(line: Int, length: Int)] {
        lines.indices.compactMap { index in
            let line = lines[index]
            guard line.contains(/^\s*[@\w\s()]*\b(func\s|init[?]?[(<])/), !line.contains("//") else { return nil }
            let indentation = line.prefix { $0 == " " }.count
            for end in lines.indices[index...] {
                let candidate = lines[end]
                guard candidate.prefix(while: { $0 == " " }).count == indentation else { continue }
                if candidate.dropFirst(indentation).hasPrefix("}") { return (index + 1, end - index + 1) }
                if end == index, candidate.hasSuffix("}") || !candidate.hasSuffix("{") && !candidate.hasSuffix("(") {
                    return (index + 1, 1)
                }
            }
            return nil
        }
    }
}
